"""Hexagons: medians and tenth percentiles over the devices of an H3 cell, with the evidence floor of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from analysis import results
from analysis.executors import each
from analysis.partition import area_row, parent_cell
from analysis.quantisation import MISSING, SCALES, SHARES
from analysis.rate import Progress, Ready, silent
from analysis.results import ALL, INSUFFICIENT, RATED, WHOLE
from analysis.shelf import columns_of
from analysis.technology import MOBILE
from analysis.thresholds import Minimum, Thresholds

KPIS = ("downlink", "uplink", "latency", "jitter", "loss", "access_failure", "coverage_share", "rsrp", "rsrq", "sinr")
"""KPIs that are drawn on hexagons."""

RESOLUTIONS = (8, 9)


class GridTask(NamedTuple):
    """One KPI at one resolution over the partials of one period."""

    period: str
    paths: list[Path]
    kpi: str
    resolution: int
    minimum: Minimum
    kind: np.dtype[Any]


def judge_cells(task: GridTask) -> pl.DataFrame:
    """Return the hexagons of a task; operator is still a hash, null for all together."""
    kpi = task.kpi
    names = ("h3_cell", "operator", "technology", "device", "is_simulated", "is_precise", kpi)
    rows = (
        columns_of(task.paths, task.kind, names)
        .filter(pl.col("is_precise") & (pl.col(kpi) != MISSING))
        .rename({kpi: "code"})
    )
    if task.resolution != 9:
        rows = rows.with_columns(pl.Series("h3_cell", parent_cell(rows["h3_cell"].to_numpy(), task.resolution)))
    frames = []
    for by_operator, by_technology in product((False, True), repeat=2):
        keys = ["h3_cell", *["operator"] * by_operator, *["technology"] * by_technology]
        middle = pl.col("code").mean() if kpi in SHARES else pl.col("code").median()
        # One device, one vote: the median over devices of each device's own median.
        of_device = rows.group_by(*keys, "device").agg(
            middle.floor().cast(pl.UInt16).alias("code"),
            pl.len().alias("samples_count"),
            pl.col("is_simulated").any(),
        )
        grouped = of_device.group_by(keys).agg(
            middle.floor().cast(pl.UInt16).alias("code"),
            pl.col("code").quantile(0.1, "lower").cast(pl.UInt16).alias("low_code"),
            pl.col("samples_count").sum().cast(pl.Int64),
            pl.len().cast(pl.Int64).alias("devices_count"),
            pl.col("is_simulated").any(),
        )
        frames.append(
            grouped.with_columns(
                pl.col("operator") if by_operator else pl.lit(None, pl.UInt64).alias("operator"),
                pl.col("technology") if by_technology else pl.lit(None, pl.UInt8).alias("technology"),
            ).select(sorted([*grouped.columns, *{"operator", "technology"} - set(grouped.columns)]))
        )
    return _finish(pl.concat(frames), task)


def _finish(frame: pl.DataFrame, task: GridTask) -> pl.DataFrame:
    centres = SCALES[task.kpi].centres
    p10 = np.full(len(frame), np.nan) if task.kpi in SHARES else centres[frame["low_code"].to_numpy()]
    missing = pl.max_horizontal(
        task.minimum.samples - pl.col("samples_count"), task.minimum.devices - pl.col("devices_count"), pl.lit(0)
    )
    return frame.with_columns(
        pl.Series("value", centres[frame["code"].to_numpy()]),
        pl.Series("p10", p10).fill_nan(None),
        pl.lit(task.resolution, pl.Int64).alias("resolution"),
        pl.lit(task.kpi).alias("kpi"),
        pl.lit(task.period).alias("period"),
        missing.cast(pl.Int64).alias("needed_count"),
        pl.when(missing > 0).then(pl.lit(INSUFFICIENT)).otherwise(pl.lit(RATED)).alias("status"),
    ).drop("code", "low_code")


def _paths(ready: Ready, by_month: bool) -> dict[str, list[Path]]:
    """Return the partials of the whole period and of each month."""
    found: dict[str, list[Path]] = {}
    for task in ready.tasks:
        for period in (WHOLE, task.day[:7])[: 1 + by_month]:
            found.setdefault(period, []).append(task.target)
    return found


def hexagons(
    ready: Ready, thresholds: Thresholds, pool: Executor, progress: Progress = silent, by_month: bool = True
) -> pl.DataFrame:
    """Return the `hexagons` table; open data is published by month."""
    minimum, kind = thresholds.minimum_of("cell"), area_row(ready.layers)
    tasks = [
        GridTask(period, paths, kpi, resolution, minimum, kind)
        for (period, paths), kpi, resolution in product(_paths(ready, by_month).items(), KPIS, RESOLUTIONS)
    ]
    done = iter(range(1, len(tasks) + 1))
    frames = each(pool, judge_cells, tasks, lambda: progress("hexagons", next(done), len(tasks)))
    if not frames:
        return pl.DataFrame(schema=results.schema("hexagons"))
    operators: dict[int | None, str] = {number: name for name, number in ready.operators.items()}
    technologies: dict[int | None, str] = dict(enumerate(MOBILE))
    whole = pl.concat(frames)
    named = whole.with_columns(
        _hexadecimal(whole["h3_cell"]),
        _name("operator", operators),
        _name("technology", technologies),
    )
    return results.shape("hexagons", named).sort("resolution", "period", "kpi", "operator", "technology", "h3_cell")


def _name(column: str, names: dict[int | None, str]) -> pl.Expr:
    return pl.col(column).replace_strict(names, default=ALL, return_dtype=pl.String).fill_null(ALL)


def _hexadecimal(cells: pl.Series) -> pl.Series:
    unique: Sequence[int] = cells.unique().to_list()
    if not unique:
        return cells.cast(pl.String)
    return cells.replace_strict({cell: f"{cell:x}" for cell in unique}, return_dtype=pl.String)
