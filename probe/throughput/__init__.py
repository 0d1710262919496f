"""Throughput by the native method `http`: warm connections, receiver-side counts, a stop by evidence."""
