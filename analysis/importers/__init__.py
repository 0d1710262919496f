"""Bring in what other tools have measured: one file a format, one report of what was refused and why."""
