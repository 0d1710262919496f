"""Rating at volume: time, memory, growth, one more day, and the same rating written plainly in pandas.

    python -m benchmarks.rating --keep DIR --stage cities     the archives, made once (long)
    python -m benchmarks.rating --keep DIR --stage small --stage large --stage day --stage plain --stage dask
    python -m benchmarks.rating --keep DIR --write            what the stages found, into RESULTS.md

Records come from the simulation; the rating is the command's own, in its own processes, cold (no partials). Without
`--stage` everything runs in one go.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import psutil  # type: ignore[import-untyped]

from analysis import rules, thresholds
from analysis.observations import day_records, read_day
from analysis.partials import FOLDER
from analysis.quantisation import SHARES
from archive.store import Archive
from benchmarks import Row
from benchmarks import __main__ as results
from measurement.columns import area_column
from measurement.kpi import KPIS
from simulation.city import City

COMMAND = [
    sys.executable,
    "-c",
    "from analysis.cli import main; main()",
    "rate",
    "--no-maps",
    "--no-facts",
    "--no-months",
    "--json",
]
LAYERS = ("districts-2024", "communes-2025")
"""What is rated: every district, commune, base station and operator."""

SMALL, LARGE, LARGEST = 1_000_000, 10_000_000, 30_000_000
PLAIN = 200_000
"""Records of the plain rating: a million take it over five minutes."""
DAYS = 365
SPAN_DAYS = 73
BEGINNING = date(2026, 1, 1)


class Measured(NamedTuple):
    """Wall seconds, processor seconds, and the largest sum of resident memory over the command's processes."""

    seconds: float
    cpu_s: float
    peak_bytes: int


def made(path: Path, count: int, days: int, seed: int = 1) -> None:
    """Write an archive of a simulated city, span by span, and go on where an earlier run stopped."""
    city = City(seed)
    with Archive(path, create=True) as archive:
        archive.set_layers([layer for layer in city.layers if layer.key in LAYERS])
        archive.set_base_stations(city.stations)
        columns = {area_column(layer) for layer in LAYERS}
        with archive.snapshot() as snapshot:
            held = len(snapshot.days)
        for first in range(held, days, SPAN_DAYS):
            span = min(SPAN_DAYS, days - first)
            whole = count * (first + span) // days - count * first // days
            # Local days: the last one of a span ends before the next begins.
            for frame in city.records(whole, days=span, start=BEGINNING + timedelta(days=first)):
                drop = [c for c in frame.columns if c.startswith("areas_") and c not in columns]
                archive.append_frame(frame.drop(drop))
            print(f"{path.name}: {first + span} of {days} days", file=sys.stderr, flush=True)


def measured(path: Path, *options: str) -> Measured:
    """Run the command on an archive and watch its processes."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [*COMMAND, "--archive", str(path), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            family = [watched, *watched.children(recursive=True)]
            peak = max(peak, sum(one.memory_info().rss for one in family))
        except psutil.Error:
            pass
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(process.stderr.read().decode() if process.stderr else "")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(time.perf_counter() - began, cpu, peak)


def cold(path: Path, *options: str) -> Measured:
    """Run the command without partials of earlier runs."""
    shutil.rmtree(path / FOLDER, ignore_errors=True)
    return measured(path, *options)


def plain(path: Path) -> float:
    """Rate districts, communes, stations and operators plainly in pandas; return seconds.

    The same figures: device-weighted percentiles and means with intervals between devices, shares, for every area x
    operator x technology with the mixes. One function a group, as one would write it first.
    """
    import pandas as pd  # type: ignore[import-untyped]

    began = time.perf_counter()
    limits = thresholds.load()
    parts = []
    with Archive(path) as archive, archive.snapshot() as snapshot:
        for day in snapshot.days:
            seen = read_day(day_records(snapshot, day), "Asia/Ho_Chi_Minh", limits)
            seen = seen.filter(rules.reason(rules.AREA).is_null()).with_columns(pl.lit(day).alias("day"))
            names = ["probe_id", "day", "h3_cell", "operator", "technology", "base_station",
                     *(area_column(layer) for layer in snapshot.layers), *(kpi.id for kpi in KPIS)]  # fmt: skip
            parts.append(pd.DataFrame({name: seen[name].to_numpy() for name in names}))
    frame = pd.concat(parts)
    unit = ["probe_id", "day", "h3_cell", "operator", "technology"]
    frame["share"] = 1 / frame.groupby(unit, observed=True)["operator"].transform("size")
    frame["weight"] = frame["share"] / frame.groupby("probe_id")["share"].transform("sum")

    tables: dict[tuple[str, ...], dict[Any, Any]] = {}

    def figures(group: Any) -> dict[tuple[str, str | float], Any]:
        found: dict[tuple[str, str | float], Any] = {}
        for kpi in KPIS:
            own = group[["probe_id", "weight", kpi.id]].dropna()
            if len(own) < 6:
                continue
            weight = own["weight"] / own["weight"].sum()
            mean = (own[kpi.id] * weight).sum()
            found[kpi.id, "mean"] = mean
            influence = (weight * (own[kpi.id] - mean)).groupby(own["probe_id"]).sum()
            found[kpi.id, "mean_error"] = np.sqrt((influence**2).sum())
            if kpi.id in SHARES:
                continue
            ordered = own.sort_values(kpi.id)
            below = (ordered["weight"] / ordered["weight"].sum()).cumsum()
            for p in (0.1, 0.5, 0.9):
                value = ordered[kpi.id].iloc[min(below.searchsorted(p), len(below) - 1)]
                influence = (weight * ((own[kpi.id] <= value) - p)).groupby(own["probe_id"]).sum()
                error = np.sqrt((influence**2).sum())
                places = below.searchsorted(np.clip([p - 1.96 * error, p + 1.96 * error], 0, 1))
                ends = ordered[kpi.id].iloc[np.minimum(places, len(below) - 1)]
                found[kpi.id, p] = (value, *ends)
        return found

    for layer in LAYERS:
        for by in ([], ["operator"], ["technology"], ["operator", "technology"]):
            tables[layer, *by] = {key: figures(group) for key, group in frame.groupby([area_column(layer), *by])}
    for by in ([], ["technology"]):
        tables["base_station", *by] = {key: figures(group) for key, group in frame.groupby(["base_station", *by])}
    return time.perf_counter() - began


def one_more_day(path: Path) -> Measured:
    """Rate again after a day was added."""
    with Archive(path) as archive:
        with archive.snapshot() as snapshot:
            last = snapshot.days[-1]
            frame = snapshot.frame(last)
        archive.append_frame(frame.with_columns(pl.col("started_at") + timedelta(days=1)))
    return measured(path)


def shown(one: Measured) -> str:
    """Say what a run took."""
    return f"{one.seconds:.1f} s ({one.cpu_s:.1f} s of processor), {one.peak_bytes / 1e9:.2f} GB"


class Bench:
    """The stages, on the archives of one folder."""

    def __init__(self, root: Path) -> None:
        """Work in a folder."""
        self.root = root

    def city(self, count: int) -> Path:
        """Return the archive of a size, made where it is not there."""
        path = self.root / f"city-{count}-{DAYS}"
        made(path, count, DAYS)
        return path

    def cities(self) -> list[Row]:
        """Make every archive."""
        for count in (PLAIN, SMALL, LARGE, LARGEST):
            self.city(count)
        return []

    def small(self) -> list[Row]:
        """Rate 1 M records."""
        return [self._cold(SMALL, "")]

    def large(self) -> list[Row]:
        """Rate 10 M records."""
        return [self._cold(LARGE, "20 s, 2 GB")]

    def _cold(self, count: int, reach: str) -> Row:
        what = f"{count:,} records of {DAYS} days: districts, communes, base stations, operators"
        return Row("rating", what, reach, shown(cold(self.city(count))), "cold, as many processes as cores")

    def growth(self) -> list[Row]:
        """Rate 1 M and 30 M records one after the other."""
        small, largest = (cold(self.city(count)) for count in (SMALL, LARGEST))
        ratio = f"{largest.seconds / small.seconds:.1f} x"
        note = f"{small.seconds:.1f} s to {shown(largest)}"
        return [Row("rating", f"growth from {SMALL:,} to {LARGEST:,} records", "at most 30 x", ratio, note)]

    def day(self) -> list[Row]:
        """Rate again, and rate again with one more day."""
        rows = []
        for count in (SMALL, LARGE):
            path = self.city(count)
            measured(path)
            again, more = measured(path), one_more_day(path)
            note = f"{again.seconds:.1f} s with nothing new; partials of finished days kept"
            what = f"one more day on a rated year of {count:,} records"
            rows.append(Row("rating", what, "2 s plus the day", shown(more), note))
        return rows

    def plain(self) -> list[Row]:
        """Rate 200,000 records plainly in pandas, and with the command."""
        path = self.city(PLAIN)
        ours, theirs = cold(path).seconds, plain(path)
        note = f"{ours:.1f} s against {theirs:.1f} s, one run"
        what = f"the same rating written plainly in pandas, {PLAIN:,} records"
        return [Row("rating", what, "10 x", f"{theirs / ours:.1f} x", note)]

    def dask(self) -> list[Row]:
        """Rate 30 M records in one process, and with two Dask workers on loopback."""
        from distributed import LocalCluster

        path = self.city(LARGEST)
        single = cold(path, "--jobs", "1").seconds
        with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
            double = cold(path, "--cluster", cluster.scheduler_address).seconds
        note = f"{single:.1f} s against {double:.1f} s"
        what = f"two Dask workers against one process, {LARGEST:,} records"
        return [Row("rating", what, "1.6 x", f"{single / double:.2f} x", note)]


STAGES: dict[str, Callable[[Bench], list[Row]]] = {
    "cities": Bench.cities, "small": Bench.small, "large": Bench.large, "growth": Bench.growth, "day": Bench.day,
    "plain": Bench.plain, "dask": Bench.dask,
}  # fmt: skip


def run(kept: Path | None = None, stages: Sequence[str] = tuple(STAGES)) -> list[Row]:
    """Return the rows of some stages; those of a folder that is kept are noted there, too."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        root = kept or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        for stage in stages:
            found = STAGES[stage](Bench(root))
            (root / f"{stage}.json").write_text(json.dumps(found), "utf-8")
            rows += found
    return rows


def noted(root: Path) -> list[Row]:
    """Return the rows that the stages noted in a folder."""
    found = (root / f"{stage}.json" for stage in STAGES)
    return [Row(*row) for path in found if path.is_file() for row in json.loads(path.read_text("utf-8"))]


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="Folder of archives to keep and use again.")
    parser.add_argument("--stage", action="append", choices=STAGES, help="Run this stage only; may be repeated.")
    parser.add_argument("--write", action="store_true", help="Write what stages noted in --keep into RESULTS.md.")
    options = parser.parse_args()
    if options.write:
        rows = noted(options.keep)
        results.write(results.held({"rating"}) + rows)
    else:
        rows = run(options.keep, options.stage or tuple(STAGES))
    for row in rows:
        print(" | ".join(row))


if __name__ == "__main__":
    main()
