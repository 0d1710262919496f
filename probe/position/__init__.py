"""Where the probe is: one file a source, all behind `probe.position.source.PositionSource`."""
