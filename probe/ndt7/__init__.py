"""M-Lab's ndt7 (spec v0.11), both ends: `spec` the constants, `model` the messages, `frames` the wire."""
