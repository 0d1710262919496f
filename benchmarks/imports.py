"""How fast logs of other tools come in: G-NetTrack's Cork set, validated, placed, appended; beside the plain reader."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from analysis.importers.options import Options
from analysis.importers.run import Import
from archive.store import Archive
from benchmarks import Row

CORK = Path(__file__).parents[1] / ".." / "shared" / "data" / "ucc_5g" / "5G-production-dataset.zip"
REPEATS = 3


def ours(path: Path) -> tuple[int, float, float]:
    """Import into a fresh archive; return rows, the best seconds of three and the least processor seconds."""
    best = least = float("inf")
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as name, Archive(Path(name) / "archive", create=True) as archive:
            options = Options("Europe/Dublin", saturated="*Download/*")
            began, used = time.perf_counter(), time.process_time()
            account = Import(archive, options).run([path])
            best = min(best, time.perf_counter() - began)
            least = min(least, time.process_time() - used)
    return account.rows_kept_count, best, least


def plain(path: Path) -> float:
    """Only read the same rows with csv.DictReader, without a check; return the best seconds of three."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".csv") and "__MACOSX" not in info.filename:
                    with archive.open(info) as file:
                        for _ in csv.DictReader(io.TextIOWrapper(file, "utf-8")):
                            pass
        best = min(best, time.perf_counter() - began)
    return best


def run() -> list[Row]:
    """Measure where the data set is present."""
    if not CORK.is_file():
        print("imports: the Cork data set is not in ../shared/data: not measured", file=sys.stderr)
        return []
    rows, seconds, used = ours(CORK)
    beside = plain(CORK)
    measured = f"{rows / seconds:,.0f} rows/s by the clock, {rows / used:,.0f} a processor second"
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    note = (
        f"csv.DictReader, reading alone, needs {beside / seconds:.2f} of the time ({rows / beside:,.0f} rows/s); {load}"
    )
    return [Row("imports", "G-NetTrack into the archive", "≥ 100,000 rows/s", measured, note)]


if __name__ == "__main__":
    for row in run():
        print(" | ".join(row))
