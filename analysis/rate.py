"""Rate an archive: partials of days, then areas and base stations, then evidence, grades and ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis import partials, results
from analysis.aggregation import TASK_ROWS, UnitTask, judge_units
from analysis.evidence import judge_evidence
from analysis.executors import each
from analysis.grading import failed_limits
from analysis.judge import Scheme
from analysis.partials import DayTask, Summary
from analysis.ranking import ranks
from analysis.results import ALL, WHOLE
from analysis.scores import grade_of
from analysis.thresholds import Thresholds
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.columns import area_column
from measurement.radio import operator_of

EPOCH = date(1970, 1, 1).toordinal()

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much is done, and of how much."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class Ready(NamedTuple):
    """Partials of every day of an archive, with what they say of themselves."""

    tasks: list[DayTask]
    summaries: list[Summary]
    layers: dict[str, list[str]]

    @property
    def operators(self) -> dict[str, int]:
        """Hash of each operator, by ascending hash."""
        return _by_hash(summary.operators for summary in self.summaries)

    @property
    def stations(self) -> dict[str, int]:
        """Hash of each base station seen, by ascending hash."""
        return _by_hash(summary.stations for summary in self.summaries)


def _by_hash(parts: object) -> dict[str, int]:
    whole: dict[str, int] = {}
    for part in parts:  # type: ignore[attr-defined]
        whole |= part
    return dict(sorted(whole.items(), key=lambda item: item[1]))


def prepare(archive: Archive, thresholds: Thresholds, pool: Executor, progress: Progress = silent) -> Ready:
    """Make or find the partial of every day of an archive."""
    zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
    layers = {layer.key: [area.key for area in layer.areas] for layer in archive.layers()}
    with archive.snapshot() as snapshot:
        tasks = partials.day_tasks(archive.path, snapshot, layers, zone, thresholds)
    done = iter(range(1, len(tasks) + 1))
    summaries = each(pool, partials.build, tasks, lambda: progress("days", next(done), len(tasks)))
    partials.forget(archive.path, tasks)
    return Ready(tasks, summaries, layers)


def exclusions(ready: Ready) -> pl.DataFrame:
    """Count the records left out of each scope, by rule; `kept` are the others."""
    rows = [row for summary in ready.summaries for row in summary.exclusions]
    frame = pl.DataFrame(rows, schema=results.schema("exclusions"), orient="row")
    return frame.group_by("scope", "reason").agg(pl.col("count").sum()).sort("scope", "count", descending=[False, True])


def _periods(days: Sequence[str], by_month: bool) -> tuple[list[str], int, list[int]]:
    """Return names of periods, the first day since 1970, and the period of each day from then on."""
    numbers = [date.fromisoformat(day).toordinal() - EPOCH for day in days]
    months = sorted({day[:7] for day in days}) if by_month else [WHOLE]
    span = [0] * (max(numbers) - min(numbers) + 1)
    if by_month:
        for number, day in zip(numbers, days, strict=True):
            span[number - min(numbers)] = months.index(day[:7])
    return months, min(numbers), span


def _ranges(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Cut units into ranges of about `TASK_ROWS` rows."""
    found, first, held = [], 0, 0
    for index, count in enumerate(counts):
        if held and held + count > TASK_ROWS:
            found.append((first, index))
            first, held = index, 0
        held += count
    return [*found, (first, len(counts))] if counts else []


def _unit_tasks(
    ready: Ready, column: str, counts: Sequence[int], scheme: Scheme, by_month: bool
) -> tuple[list[str], list[UnitTask]]:
    days = [task.day for task in ready.tasks]
    names, first_day, period_of_day = _periods(days, by_month)
    paths = [task.target for task in ready.tasks]
    scope = "station" if column == "station" else "area"
    period_of = [period_of_day[date.fromisoformat(day).toordinal() - EPOCH - first_day] for day in days]
    units = partials.device_units(ready.tasks, scope, period_of)
    return names, [
        UnitTask(
            paths, column, first, last, list(ready.operators.values()), list(ready.stations.values()),
            first_day, period_of_day, len(names), units, scheme,
        )
        for first, last in _ranges(counts)
    ]  # fmt: skip


def _named(
    frame: pl.DataFrame, task: UnitTask, units: Sequence[str], periods: Sequence[str], name: str
) -> pl.DataFrame:
    """Replace the index of the unit by its name and period."""
    size = task.last - task.first
    own = pl.Series("own", units[task.first : task.last], dtype=pl.String)
    period = pl.Series("period", periods, dtype=pl.String)
    index = frame["unit"].to_numpy()
    return frame.drop("unit").with_columns(
        own.gather(index % size).alias(name), period.gather(index // size).alias("period")
    )


def _finish(frame: pl.DataFrame, keys: Sequence[str], thresholds: Thresholds, scope: str) -> pl.DataFrame:
    """Add evidence, grades and ranks to named long rows; `keys` say among whom a row is ranked."""
    minimum = thresholds.minimum_of(scope)
    frame = judge_evidence(frame, minimum, "rows_count" if scope == "area" else "samples_count")
    group = [
        name for name in frame.columns if name in ("layer", "area", "base_station", "operator", "technology", "period")
    ]
    frame = failed_limits(frame, group, thresholds)
    is_score = (pl.col("kpi") == "score") & (pl.col("statistic") == "score")
    scores = frame.filter(is_score)
    sure = scores.select(
        pl.when(pl.col("status") != results.INSUFFICIENT).then(pl.col("value")).fill_null(float("nan"))
    )
    letters = grade_of(sure.to_series().to_numpy(), scores["is_failed"].to_numpy(), thresholds)
    graded = scores.select(*group, pl.Series("grade", letters.tolist(), dtype=pl.String), is_score=True)
    ranked = _ranked(scores.filter(pl.col("status") != results.INSUFFICIENT), group, keys, minimum.ranking)
    graded = graded.join(ranked, on=group, how="left").drop("is_score")
    with_scores = frame.filter(is_score).join(graded, on=group, how="left", maintain_order="left")
    rest = frame.filter(~is_score)
    return pl.concat((rest, with_scores), how="diagonal")


def _ranked(scores: pl.DataFrame, group: Sequence[str], keys: Sequence[str], at_least: int) -> pl.DataFrame:
    frames = [scores.head(0).select(*group).with_columns(rank_low=pl.lit(0, pl.Int64), rank_high=pl.lit(0, pl.Int64))]
    eligible = scores.filter((pl.col("rows_count") >= at_least) & pl.col("error").is_finite() & (pl.col("freedom") > 1))
    for part in eligible.partition_by(keys, maintain_order=True):
        low, high = ranks(part["value"].to_numpy(), part["error"].to_numpy(), part["freedom"].to_numpy() - 1)
        frames.append(part.select(*group, pl.Series("rank_low", low), pl.Series("rank_high", high)))
    return pl.concat(frames)


def rate_areas(
    ready: Ready, thresholds: Thresholds, pool: Executor, by_month: bool = True, progress: Progress = silent
) -> pl.DataFrame:
    """Rate every area of every layer; return the `area_ratings` table."""
    months = sorted({task.day[:7] for task in ready.tasks})
    plans = []
    for layer, areas in ready.layers.items():
        if not ready.tasks:
            continue
        counts = np.sum([summary.area_counts[layer] for summary in ready.summaries], axis=0).tolist()
        for monthly in (False, True)[: 1 + (by_month and len(months) > 1)]:
            scheme = Scheme(thresholds, "area", ())
            periods, tasks = _unit_tasks(ready, area_column(layer), counts, scheme, monthly)
            plans += [(layer, areas, periods, task) for task in tasks]
    done = iter(range(1, len(plans) + 1))
    judged = each(pool, judge_units, [plan[-1] for plan in plans], lambda: progress("areas", next(done), len(plans)))
    operators = dict(enumerate([*ready.operators, ALL]))
    alone = len(ready.operators) == 1  # then its rows are those of all operators together, too
    frames = [
        _named(frame, task, areas, periods, "area").with_columns(
            pl.lit(layer).alias("layer"), pl.col("operator").replace_strict(operators, return_dtype=pl.String)
        )
        for frame, (layer, areas, periods, task) in zip(judged, plans, strict=True)
        if not frame.is_empty()
    ]
    if not frames:
        return pl.DataFrame(schema=results.schema("area_ratings"))
    whole = pl.concat(frames)
    if by_month and len(months) == 1:  # the month is the whole
        whole = pl.concat((whole, whole.with_columns(pl.lit(months[0]).alias("period"))))
    if alone:
        whole = pl.concat((whole, whole.with_columns(pl.lit(ALL).alias("operator"))))
    finished = _finish(whole, ("layer", "operator", "technology", "period"), thresholds, "area")
    return _sorted("area_ratings", finished)


def _owner(station: str) -> str:
    """Return the operator of a cell that is in no registry, by the PLMN in its name; * where nobody knows."""
    plmn = station.split("-")[1] if station.startswith("cell-") else ""
    return operator_of(plmn[:3], plmn[3:]) or ALL


def rate_base_stations(
    ready: Ready, thresholds: Thresholds, owners: dict[str, str], pool: Executor, progress: Progress = silent
) -> pl.DataFrame:
    """Rate every base station that was seen; `owners` names the operator of each; return `bts_ratings`."""
    stations = list(ready.stations)
    # Rows of a station are not counted beforehand: they are taken as spread evenly over the hashes.
    kept = sum(n for summary in ready.summaries for scope, reason, n in summary.exclusions
               if (scope, reason) == ("base_station", "kept"))  # fmt: skip
    counts = [kept // max(len(stations), 1) + 1] * len(stations)
    scheme = Scheme(thresholds, "base_station", ())
    periods, tasks = _unit_tasks(ready, "station", counts, scheme, False) if stations else ([], [])
    done = iter(range(1, len(tasks) + 1))
    judged = each(pool, judge_units, tasks, lambda: progress("base stations", next(done), len(tasks)))
    frames = [
        _named(frame, task, stations, periods, "base_station")
        for frame, task in zip(judged, tasks, strict=True)
        if not frame.is_empty()
    ]
    if not frames:
        return pl.DataFrame(schema=results.schema("bts_ratings"))
    names = owners | {station: _owner(station) for station in stations if station not in owners}
    frame = pl.concat(frames).with_columns(
        pl.col("base_station").replace_strict(names, return_dtype=pl.String).alias("operator")
    )
    finished = _finish(frame, ("operator", "technology", "period"), thresholds, "base_station")
    return _sorted("bts_ratings", finished)


def _sorted(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Shape a table; NaN becomes null, and rows without samples stay for scores of mixes only."""
    numbers = pl.col("value", "low", "high", "effective_count").fill_nan(None)
    empty = (pl.col("samples_count") == 0) & (pl.col("technology") != ALL)
    keys = [name for name in results.schema(table) if name not in ("value", "low", "high")][:7]
    return results.shape(table, frame.filter(~empty).with_columns(numbers)).sort(keys)


def write(archive: Archive, tables: dict[str, pl.DataFrame]) -> list[Path]:
    """Write result tables into an archive."""
    return [archive.write_result(name, frame) for name, frame in tables.items()]
