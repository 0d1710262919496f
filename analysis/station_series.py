"""Base stations along time: each week, each part of the day, and how their values spread.

A station has too few tests for days and single hours: its week is the median of its units, its day has eight parts of
three hours. A **unit** is one device at the station with one technology in one part of one day: all its tests together
count once.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import results, rules
from analysis.executors import each
from analysis.observations import read_day
from analysis.partials import DayTask
from analysis.quantisation import MISSING, SCALES
from analysis.rate import Progress, Ready, silent
from analysis.series import Middles, middles
from analysis.technology import MOBILE

KPIS = ("downlink", "uplink", "latency", "rsrp")
"""KPIs that are drawn for a station. Shares need more tests than a station has in a week."""

PART_HOURS = 3
BINS_SHOWN = 32
_CODES_A_BIN = 2048 // BINS_SHOWN
_UNIT = ("base_station", "technology", "part", "probe_id")


def units_of(seen: pl.DataFrame) -> pl.DataFrame:
    """Return one row a unit of one day: the median of its tests as a code, and how many tests it holds.

    Parameters
    ----------
    seen
        Observations of one day (`analysis.observations.observe`).
    """
    kept = seen.filter(rules.reason(rules.BASE_STATION).is_null())
    parted = kept.with_columns(
        pl.col("is_simulated").fill_null(False), (pl.col("hour") // PART_HOURS * PART_HOURS).alias("part")
    )
    collapsed = parted.group_by(_UNIT, maintain_order=True).agg(
        *(pl.col(kpi).median() for kpi in KPIS),
        *(pl.col(kpi).count().cast(pl.UInt16).alias(f"{kpi}_tests") for kpi in KPIS),
        pl.col("is_simulated").any(),
    )
    return collapsed.select(
        "base_station",
        pl.col("technology").cast(pl.Enum(MOBILE), strict=False),
        pl.col("part").cast(pl.UInt8),
        pl.col("probe_id").hash(seed=0).alias("device"),
        "is_simulated",
        *(pl.Series(kpi, SCALES[kpi].encode(collapsed[kpi].fill_null(float("nan")).to_numpy())) for kpi in KPIS),
        *(f"{kpi}_tests" for kpi in KPIS),
    )


def build_units(task: DayTask) -> Path:
    """Write the units of a day beside its partial, unless they are there."""
    path = task.target / "station_units.arrow"
    if not path.is_file():
        fresh = path.with_name(".station_units.arrow")
        units_of(read_day(task.records, task.zone, task.thresholds)).write_ipc(fresh)
        fresh.rename(path)
    return path


def _monday(day: str) -> str:
    """Return the first day of a civil day's week.

    Examples
    --------
    >>> _monday('2026-05-03')
    '2026-04-27'
    """
    there = date.fromisoformat(day)
    return (there - timedelta(days=there.weekday())).isoformat()


def _runs(keys: pl.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first row of each run of equal keys, and the run of each row."""
    hashes = keys.hash_rows(seed=0).to_numpy()
    _, first, run = np.unique(hashes, return_index=True, return_inverse=True)
    return first, run


def _along(units: pl.DataFrame, kpi: str, axis: str, owners: Mapping[str, str]) -> pl.DataFrame:
    """Return the middles of one KPI for each station x technology x place on the axis (`at`)."""
    known = units.filter(pl.col(kpi) != MISSING)
    keys = known.select("base_station", "technology", "at")
    first, run = _runs(keys)
    values = SCALES[kpi].centres[known[kpi].to_numpy()]
    found: Middles = middles(run, values, len(first), False)
    counted = known.select(run=pl.Series(run), device="device", tests=f"{kpi}_tests", simulated="is_simulated")
    counts = (
        counted.group_by("run")
        .agg(pl.col("tests").cast(pl.Int64).sum(), pl.col("device").n_unique(), pl.col("simulated").any())
        .sort("run")
    )
    named = keys[first]
    return named.with_columns(
        pl.lit(axis).alias("axis"),
        pl.col("technology").cast(pl.String),
        pl.col("base_station").replace_strict(owners, default=results.ALL, return_dtype=pl.String).alias("operator"),
        pl.lit(kpi).alias("kpi"),
        *(pl.Series(name, part) for name, part in zip(("value", "low", "high"), found, strict=False)),
        pl.Series("samples_count", counts["tests"]),
        pl.Series("devices_count", counts["device"]),
        pl.Series("is_simulated", counts["simulated"]),
    )


def _spread(units: pl.DataFrame, kpi: str) -> pl.DataFrame:
    """Return how the units of each station x technology spread over the bins of one KPI."""
    group = ("base_station", "technology")
    centres = SCALES[kpi].centres
    bins = (
        units.filter(pl.col(kpi) != MISSING)
        .with_columns(
            (pl.col(kpi) // _CODES_A_BIN).cast(pl.Int64).alias("bin"),
            pl.col("device").n_unique().over(group).alias("devices_count"),
            pl.col(f"{kpi}_tests").cast(pl.Int64).sum().over(group).alias("samples_count"),
        )
        .group_by(*group, "bin")
        .agg(pl.len().alias("n"), pl.col("devices_count", "samples_count").first())
        .with_columns((pl.col("n") / pl.col("n").sum().over(group)).alias("share"), pl.lit(kpi).alias("kpi"))
    )
    low = bins["bin"].to_numpy() * _CODES_A_BIN
    return bins.with_columns(
        pl.col("technology").cast(pl.String),
        pl.Series("bin_low", centres[low]),
        pl.Series("bin_high", centres[np.minimum(low + _CODES_A_BIN, 2047)]),
    )


def station_series(
    ready: Ready, owners: Mapping[str, str], pool: Executor, progress: Progress = silent
) -> dict[str, pl.DataFrame]:
    """Return the tables `bts_series` and `bts_histograms`.

    Parameters
    ----------
    ready
        Partials of every day.
    owners
        Operator of each station of the registry.
    pool
        Where the days are read.
    progress
        Told of each day.
    """
    done = iter(range(1, len(ready.tasks) + 1))
    paths = each(
        pool, build_units, ready.tasks, lambda: progress("series of base stations", next(done), len(ready.tasks))
    )
    names: dict[str, list[Any]] = {"bts_series": [], "bts_histograms": []}
    if paths:
        units = pl.concat(
            pl.read_ipc(path).with_columns(week=pl.lit(_monday(task.day)))
            for path, task in zip(paths, ready.tasks, strict=True)
        )
        part = pl.col("part").cast(pl.String).str.zfill(2)
        for kpi in KPIS:
            for axis, at in (("week", pl.col("week")), ("part_of_day", part)):
                names["bts_series"].append(_along(units.with_columns(at=at), kpi, axis, owners))
            names["bts_histograms"].append(_spread(units, kpi))
    numbers = pl.col("value", "low", "high")
    order = {"bts_series": ("axis", "at"), "bts_histograms": ("bin_low",)}
    tables = {}
    for name, parts in names.items():
        frame = pl.concat(parts) if parts else pl.DataFrame(schema=results.schema(name))
        if name == "bts_series":
            frame = frame.with_columns(numbers.fill_nan(None))
        tables[name] = results.shape(name, frame).sort("base_station", "technology", "kpi", *order[name])
    return tables
