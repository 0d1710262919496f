"""How to judge: reading, cleaning, statistics, rating, compliance, coverage, degradation, planning."""
