"""What a look for degradation costs beside the collector: the first of a day, which learns, and those after it."""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analysis import thresholds
from analysis.degraded.compact import WEEKS, files
from analysis.degraded.run import Watcher, newest
from archive.store import Archive
from benchmarks import Row
from benchmarks.degradation import START
from simulation.city import City

TOPIC = "watching"
SIZES = (620_000, 10_000_000)
"""Tests within the eight weeks: 11,000 a day, as a city's panel makes, and sixteen times that."""
DAYS = 7 * WEEKS + 1
KEPT = os.environ.get("HAIDANG_BENCH_WATCHED")
"""Folder in which archives of earlier runs are kept: making a large one takes minutes."""


@contextmanager
def _watched(records: int) -> Iterator[Archive]:
    """Yield an archive of a simulated city all of which lies in the eight weeks that are looked at."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(KEPT or name) / str(records)
        is_made = path.exists()
        with Archive(path, create=True) as archive:
            if not is_made:
                city = City(3)
                archive.set_layers(city.layers)
                archive.set_base_stations(city.stations)
                for frame in city.records(records, days=DAYS, start=START):
                    archive.append_frame(frame)
                    print(f"  {archive.path}: {frame.height} more", file=sys.stderr, flush=True)
            yield archive


def run() -> list[Row]:
    """Measure each size."""
    return [row for records in SIZES for row in _looks(records)]


def _looks(records: int) -> list[Row]:
    """Measure five looks, five minutes apart, on an evening: nearly all of the day's tests are there."""
    limits = thresholds.load()
    with _watched(records) as archive:
        last = newest(archive) or datetime.now(UTC)
        began = time.perf_counter()
        files(archive, (last + timedelta(hours=7)).date(), limits)
        compacted = time.perf_counter() - began
        watcher = Watcher(archive, limits, calendar=())
        walls, cpus = [], []
        for number in range(6):
            wall, cpu = time.perf_counter(), time.process_time()
            seen = watcher.look(last - timedelta(minutes=5 * (5 - number)))
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
            print(f"  look {number}: {walls[-1]:.2f} s, {cpus[-1]:.2f} s CPU", file=sys.stderr, flush=True)
        gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    what = f"{seen.tests_count / 1e6:.1f} M tests in the eight weeks, simulated"
    return [
        Row(TOPIC, f"a look for degradation, {what}", "<= 3 s CPU", f"{statistics.median(cpus[1:]):.1f} s CPU, "
            f"{statistics.median(walls[1:]):.1f} s", f"{seen.tests_count / DAYS:,.0f} tests a day"),
        Row(TOPIC, f"the first look of a day, which learns, {what}", "once a day", f"{cpus[0]:.0f} s CPU, "
            f"{walls[0]:.0f} s, {gigabytes:.1f} GB at most", f"state brought up to date before: {compacted:.0f} s"),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(row)
