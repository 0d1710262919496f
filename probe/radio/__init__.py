"""What the modem says: one file a source, all behind `probe.radio.source.RadioSource`."""
