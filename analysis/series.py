"""Figures along time: each day of an area, and each hour of the day; and the distributions of an area's values.

A day is the median of its units (`analysis.partition`). An hour of the day is the median over days of that hour's own
median.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import results, rules
from analysis.executors import each
from analysis.intervals import MINIMUM_COUNT, order_ranks, wilson
from analysis.observations import read_day
from analysis.partials import DayTask
from analysis.partition import area_row
from analysis.quantisation import BINS, MISSING, SCALES, SHARES
from analysis.rate import Progress, Ready, silent
from analysis.results import ALL
from analysis.shelf import columns_of
from analysis.technology import MOBILE
from measurement.columns import area_column

KPIS = ("downlink", "uplink", "latency", "rsrp", "access_failure", "floor_share")
"""KPIs that are drawn along time."""

BINS_SHOWN = 64

Floats = npt.NDArray[np.float64]


class Middles(NamedTuple):
    """Median (mean of shares) of each run of values, with its interval; NaN where there is none."""

    value: Floats
    low: Floats
    high: Floats
    size: npt.NDArray[np.int64]


def middles(run: npt.NDArray[np.int64], values: Floats, count: int, is_share: bool) -> Middles:
    """Return the middle of each run of values with the interval of independent samples.

    Examples
    --------
    >>> found = middles(np.zeros(6, int), np.array([3.0, 1, 2, 6, 5, 4]), 1, False)
    >>> float(found.value[0]), float(found.low[0]), float(found.high[0])
    (3.5, 1.0, 6.0)
    """
    order = np.lexsort((values, run))
    ordered = values[order]
    sizes = np.bincount(run, minlength=count).astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    known = sizes >= MINIMUM_COUNT
    if is_share:
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.bincount(run, values, minlength=count) / sizes
        low, high = wilson(np.nan_to_num(value), np.maximum(sizes, 1))
        return Middles(value, np.where(known, low, np.nan), np.where(known, high, np.nan), sizes)

    def at(rank: npt.NDArray[np.int64]) -> Floats:
        index = starts + np.clip(rank, 0, np.maximum(sizes - 1, 0))
        held = np.append(ordered, np.nan)[np.minimum(index, len(ordered))]
        return np.asarray(np.where(sizes > 0, held, np.nan))

    low_rank, high_rank = order_ranks(sizes, 0.5)
    value = (at((sizes - 1) // 2) + at(sizes // 2)) / 2
    return Middles(
        value, np.where(known, at(low_rank - 1), np.nan), np.where(known, at(high_rank - 1), np.nan), sizes
    )  # fmt: skip


def _along(frame: pl.DataFrame, area: str, at: Sequence[str]) -> pl.DataFrame:
    """Return the middles of every KPI for each area x operator x technology (with mixes) x `at`."""
    parts = []
    for by_operator, by_technology in product((False, True), repeat=2):
        keys = [area, *["operator"] * by_operator, *["technology"] * by_technology, *at]
        hashes = frame.select(keys).hash_rows(seed=0).to_numpy()
        _, first, run = np.unique(hashes, return_index=True, return_inverse=True)
        named = frame.select(keys)[first].rename({area: "area"})
        simulated = np.bincount(run, frame["is_simulated"].to_numpy(), minlength=len(first)) > 0
        for kpi in KPIS:
            values = frame[kpi].to_numpy()
            valid = np.flatnonzero(~np.isnan(values))
            found = middles(run[valid], values[valid], len(first), kpi in SHARES)
            parts.append(
                named.with_columns(
                    pl.lit(ALL).alias("operator") if not by_operator else pl.col("operator"),
                    pl.lit(ALL).alias("technology") if not by_technology else pl.col("technology"),
                    pl.lit(kpi).alias("kpi"),
                    *(pl.Series(name, part) for name, part in zip(("value", "low", "high"), found, strict=False)),
                    pl.Series("samples_count", found.size),
                    pl.Series("is_simulated", simulated),
                )
                .filter(pl.col("samples_count") > 0)
                .select(
                    "area",
                    "operator",
                    "technology",
                    "kpi",
                    *at,
                    "value",
                    "low",
                    "high",
                    "samples_count",
                    "is_simulated",
                )
            )
    return pl.concat(parts)


# An archive without layers has series of nothing; the columns stand all the same.
_NO_LAYERS = {
    "area": pl.String, "operator": pl.String, "technology": pl.String, "kpi": pl.String, "hour": pl.Int8,
    "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "samples_count": pl.Int64, "is_simulated": pl.Boolean,
    "layer": pl.String,
}  # fmt: skip


def series_of(seen: pl.DataFrame, layers: Sequence[str]) -> pl.DataFrame:
    """Return one day's figures by area, and by area and hour, from its observations."""
    kept = seen.filter(rules.reason(rules.AREA).is_null()).with_columns(pl.col("is_simulated").fill_null(False))
    parts = []
    for layer in layers:
        column = area_column(layer)
        inside = kept.filter(pl.col(column).is_not_null())
        once = inside.group_by("probe_id", "h3_cell", column, "operator", "technology", maintain_order=True).agg(
            *((pl.col(k).mean() if k in SHARES else pl.col(k).median()) for k in KPIS), pl.col("is_simulated").any()
        )
        empty = [pl.col(k).fill_null(float("nan")) for k in KPIS]
        parts.append(
            _along(once.with_columns(empty), column, ()).with_columns(hour=pl.lit(None, pl.Int8), layer=pl.lit(layer))
        )
        parts.append(_along(inside.with_columns(empty), column, ("hour",)).with_columns(layer=pl.lit(layer)))
    return pl.concat(parts, how="diagonal") if parts else pl.DataFrame(schema=_NO_LAYERS)


def build_series(task: DayTask) -> pl.DataFrame:
    """Make the series of a day, or find it beside the day's partial."""
    path = task.target / "series.arrow"
    if path.is_file():
        return pl.read_ipc(path)
    frame = series_of(read_day(task.records, task.zone, task.thresholds), list(task.layers))
    fresh = path.with_name(".series.arrow")
    frame.write_ipc(fresh)
    fresh.rename(path)
    return frame


def series(ready: Ready, pool: Executor, progress: Progress = silent) -> pl.DataFrame:
    """Return the `series` table."""
    done = iter(range(1, len(ready.tasks) + 1))
    frames = each(pool, build_series, ready.tasks, lambda: progress("series", next(done), len(ready.tasks)))
    if not frames:
        return pl.DataFrame(schema=results.schema("series"))
    whole = pl.concat(
        (frame.with_columns(pl.lit(task.day).alias("day")) for frame, task in zip(frames, ready.tasks, strict=True)),
        how="diagonal",
    )
    days = whole.filter(pl.col("hour").is_null()).with_columns(axis=pl.lit("day"), at=pl.col("day"))
    numbers = pl.col("value", "low", "high").fill_nan(None)
    both = pl.concat((days, _hours(whole.filter(pl.col("hour").is_not_null()))), how="diagonal_relaxed")
    keys = ("layer", "area", "operator", "technology", "axis", "kpi", "at")
    return results.shape("series", both.with_columns(numbers)).sort(keys)


def _hours(rows: pl.DataFrame) -> pl.DataFrame:
    """Merge the hours of all days: the median over days, with the interval over days."""
    keys = ["layer", "area", "operator", "technology", "kpi", "hour"]
    if rows.is_empty():
        return rows.head(0).with_columns(axis=pl.lit("hour_of_day"), at=pl.lit("00"))
    hashes = rows.select(keys).hash_rows(seed=0).to_numpy()
    _, first, run = np.unique(hashes, return_index=True, return_inverse=True)
    found = middles(run, rows["value"].to_numpy(), len(first), False)
    weight: Any = rows["samples_count"].to_numpy()
    mean = np.bincount(run, rows["value"].to_numpy() * weight) / np.bincount(run, weight)
    is_share = rows["kpi"][first].is_in(SHARES).to_numpy()
    return (
        rows[first]
        .select(keys)
        .with_columns(
            pl.lit("hour_of_day").alias("axis"),
            pl.col("hour").cast(pl.String).str.zfill(2).alias("at"),
            pl.Series("value", np.where(is_share, mean, found.value)),
            pl.Series("low", np.where(is_share, np.nan, found.low)),
            pl.Series("high", np.where(is_share, np.nan, found.high)),
            pl.Series("samples_count", np.bincount(run, weight).astype(np.int64)),
            pl.Series("is_simulated", np.bincount(run, rows["is_simulated"].to_numpy()) > 0),
        )
    )


def histograms(ready: Ready) -> pl.DataFrame:
    """Return the `histograms` table: how each KPI's values spread in each area, all days together."""
    parts = []
    kind = area_row(ready.layers)
    for layer, areas in ready.layers.items() if ready.tasks else ():
        column = area_column(layer)
        for kpi in (k for k in KPIS if k not in SHARES):
            edges = (pl.col(kpi) // (BINS // BINS_SHOWN)).alias("bin")
            counted = (
                columns_of([task.target for task in ready.tasks], kind, (column, "operator", "technology", kpi))
                .filter((pl.col(kpi) != MISSING) & (pl.col(column) < len(areas)))
                .group_by(pl.col(column).alias("index"), "operator", "technology", edges)
                .agg(pl.len().alias("n"))
            )
            parts += [_histogram(counted, kpi, layer, areas, ready, *mix) for mix in product((False, True), repeat=2)]
    if not parts:
        return pl.DataFrame(schema=results.schema("histograms"))
    keys = ("layer", "area", "operator", "technology", "kpi", "bin_low")
    return results.shape("histograms", pl.concat(parts)).sort(keys)


def _histogram(
    counted: pl.DataFrame,
    kpi: str,
    layer: str,
    areas: Sequence[str],
    ready: Ready,
    by_operator: bool,
    by_technology: bool,
) -> pl.DataFrame:
    keys = ["index", *["operator"] * by_operator, *["technology"] * by_technology]
    centres = SCALES[kpi].centres
    step = BINS // BINS_SHOWN
    frame = counted.group_by(*keys, "bin").agg(pl.col("n").sum())
    frame = frame.with_columns((pl.col("n") / pl.col("n").sum().over(keys)).alias("share"))
    low = frame["bin"].to_numpy().astype(np.int64) * step
    operators = {number: name for name, number in ready.operators.items()}
    return frame.select(
        pl.lit(layer).alias("layer"),
        pl.Series("area", areas, dtype=pl.String).gather(frame["index"]).alias("area"),
        pl.col("operator").replace_strict(operators, return_dtype=pl.String)
        if by_operator
        else pl.lit(ALL).alias("operator"),
        pl.col("technology").replace_strict(dict(enumerate(MOBILE)), return_dtype=pl.String)
        if by_technology
        else pl.lit(ALL).alias("technology"),
        pl.lit("all").alias("period"),
        pl.lit(kpi).alias("kpi"),
        pl.Series("bin_low", centres[low]),
        pl.Series("bin_high", centres[np.minimum(low + step, BINS - 1)]),
        "share",
    )
