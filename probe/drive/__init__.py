"""Drive tests: radio and position each second, latency throughout, throughput now and then, all kept at once."""
