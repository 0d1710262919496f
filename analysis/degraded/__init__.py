"""What is worse than its own past: baseline, change detection, confirmation, blame, events."""
