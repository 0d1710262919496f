"""A city whose true quality is known: for the demo, for calibration, for benchmarks."""
