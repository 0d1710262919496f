"""What was measured and is not yet acknowledged, in a file that survives power cuts."""
