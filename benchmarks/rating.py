"""Rating at volume: time, memory, growth, one more day, and the same rating written plainly in pandas.

    python -m benchmarks.rating --records 1000000 10000000 --days 365

Records come from the simulation; the rating is the command's own, in its own processes, cold (no partials).
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import psutil

from analysis import rules, thresholds
from analysis.observations import day_records, read_day
from analysis.partials import FOLDER
from analysis.quantisation import SHARES
from archive.store import Archive
from benchmarks import Row
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
]
LAYERS = ("districts-2024", "communes-2025")
"""What is rated: every district, commune, base station and operator."""


class Measured(NamedTuple):
    """Wall seconds, processor seconds, and the largest sum of resident memory over the command's processes."""

    seconds: float
    cpu_s: float
    peak_bytes: int


def made(path: Path, count: int, days: int, seed: int = 1) -> None:
    """Write an archive of a simulated city, unless it is there."""
    if (path / "catalogue.sqlite").is_file():
        return
    city = City(seed)
    with Archive(path, create=True) as archive:
        archive.set_layers([layer for layer in city.layers if layer.key in LAYERS])
        archive.set_base_stations(city.stations)
        columns = {area_column(layer) for layer in LAYERS}
        for frame in city.records(count, days=days, start=date(2026, 1, 1)):
            drop = [c for c in frame.columns if c.startswith("areas_") and c not in columns]
            archive.append_frame(frame.drop(drop))


def measured(path: Path, *options: str) -> Measured:
    """Run the command on an archive and watch its processes."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [*COMMAND, "--no-months", "--archive", str(path), "--json", *options]
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
    import pandas as pd

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

    def figures(group: Any) -> Any:
        found = {}
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
        return pd.Series(found, dtype=object)

    for layer in LAYERS:
        for by in ([], ["operator"], ["technology"], ["operator", "technology"]):
            frame.groupby([area_column(layer), *by])[list(frame.columns)].apply(figures)
    for by in ([], ["technology"]):
        frame.groupby(["base_station", *by])[list(frame.columns)].apply(figures)
    return time.perf_counter() - began


def one_more_day(path: Path) -> float:
    """Return seconds to rate again after a day was added."""
    with Archive(path) as archive:
        with archive.snapshot() as snapshot:
            last = snapshot.days[-1]
            frame = snapshot.frame(last)
        archive.append_frame(frame.with_columns(pl.col("started_at") + timedelta(days=1)))
    return measured(path, "--jobs", "2").seconds


@contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """Return the folder of archives: one that is kept, else one that goes with the run."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def dask_seconds(path: Path) -> tuple[float, float]:
    """Return seconds of one process, and of two Dask workers on loopback, cold both."""
    from distributed import LocalCluster

    single = cold(path, "--jobs", "1").seconds
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        return single, cold(path, "--cluster", cluster.scheduler_address).seconds


def run(
    sizes: tuple[int, ...] = (1_000_000, 10_000_000), days: int = 365, kept: Path | None = None, peers: bool = True
) -> list[Row]:
    """Return the rows of the rating."""
    rows: list[Row] = []

    def add(what: str, reach: str, shown: str, note: str) -> None:
        rows.append(Row("rating", what, reach, shown, note))

    with folder(kept) as root:
        paths = {size: root / f"city-{size}-{days}" for size in sizes}
        timed: dict[int, Measured] = {}
        small, large = min(sizes), max(sizes)
        for size, path in paths.items():
            made(path, size, days)
            timed[size] = cold(path, "--jobs", "2")
            one = timed[size]
            shown = f"{one.seconds:.1f} s ({one.cpu_s:.1f} s of processor), {one.peak_bytes / 1e9:.2f} GB"
            reach = "20 s, 2 GB" if size == 10_000_000 else ""
            add(
                f"{size:,} records of {days} days: districts, communes, BTS, operators",
                reach,
                shown,
                "two processes, cold",
            )
        if large > small:
            growth = timed[large].seconds / timed[small].seconds
            add(
                f"growth from {small:,} to {large:,} records",
                f"at most {large / small:.0f} x",
                f"{growth:.1f} x",
                "time",
            )
        again = measured(paths[large], "--jobs", "2").seconds
        add(f"rated again, nothing new, {large:,} records", "", f"{again:.1f} s", "every partial kept")
        more = one_more_day(paths[large])
        add(f"one more day on {large:,} records", "2 s plus the day", f"{more:.1f} s", "two processes")
        if peers:
            ours, theirs = cold(paths[small], "--jobs", "2").seconds, plain(paths[small])
            note = f"{ours:.1f} s against {theirs:.1f} s"
            add(f"the same rating in plain pandas, {small:,} records", "10 x", f"{theirs / ours:.1f} x", note)
            single, double = dask_seconds(paths[large])
            note = f"{single:.1f} s against {double:.1f} s"
            add(f"two Dask workers against one process, {large:,} records", "1.6 x", f"{single / double:.2f} x", note)
    return rows


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--keep", type=Path, help="Folder of archives to keep and use again.")
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    for row in run(tuple(options.records), options.days, options.keep, not options.no_peers):
        print(" | ".join(row))


if __name__ == "__main__":
    main()
