"""Kills of probes, collector and InfluxDB at random instants under load; the books must balance to the record."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import Row

KILLS = 210
SEED = 20261122


def run() -> list[Row]:
    """Blow one storm and read the books."""
    from tests.faults import storm

    with tempfile.TemporaryDirectory() as folder:
        books = storm.run(Path(folder), KILLS, SEED)
    kills = ", ".join(f"{name} {count}" for name, count in sorted(books.kills.items()))
    return [
        Row("faults", f"kill -9 at random instants under load ({kills})", "≥ 200", str(sum(books.kills.values())), ""),
        Row("faults", "records kept by probes / stored / in InfluxDB", "all equal but for the last instant of a "
            "killed probe", f"{books.kept:,} / {books.stored:,} / {books.in_influxdb:,}", ""),
        Row("faults", "lost in archive, in InfluxDB", "0, 0", f"{books.lost}, {books.lost_in_influxdb}", ""),
        Row("faults", "doubled in archive, in InfluxDB", "0, 0", f"{books.doubled}, {books.doubled_in_influxdb}", ""),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(*row, sep="  ")
