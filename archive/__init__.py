"""How records are placed and kept: catalogue, hot rows, Parquet segments, layers, registry, results."""
