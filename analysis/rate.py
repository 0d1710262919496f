"""Rate an archive: partials of days, then areas and base stations, each table as soon as its units are judged."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis import partials, results
from analysis.aggregation import TASK_LEAST_ROWS, TASK_ROWS, UnitTask, judge_units, judged_path
from analysis.executors import each, fetched, submitted
from analysis.finish import finish
from analysis.judge import Scheme
from analysis.partials import DayTask, Summary
from analysis.partition import area_row, finest, station_row
from analysis.results import ALL, WHOLE
from analysis.thresholds import Thresholds
from analysis.votes import VotesTask, write_votes
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.columns import area_column
from measurement.radio import operator_of

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much is done, and of how much."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class Ready(NamedTuple):
    """Partials of every day of an archive, with what they say of themselves."""

    tasks: list[DayTask]
    summaries: list[Summary]
    layers: dict[str, list[str]]
    root: Path

    @property
    def folder(self) -> Path:
        """Where partials are kept."""
        return self.root / partials.FOLDER

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
    said = {task.target: partials.found(task) for task in tasks}
    batches = partials.batches([task for task in tasks if said[task.target] is None])
    done = iter(np.cumsum([len(batch) for batch in batches]).tolist())
    made = each(pool, partials.build, batches, lambda: progress("days", next(done), len(tasks)))
    for batch, own in zip(batches, made, strict=True):
        said |= {task.target: summary for task, summary in zip(batch, own, strict=True)}
    return Ready(tasks, [summary for task in tasks if (summary := said[task.target]) is not None], layers, archive.path)


def exclusions(ready: Ready) -> pl.DataFrame:
    """Count the records left out of each scope, by rule; `kept` are the others."""
    rows = [row for summary in ready.summaries for row in summary.exclusions]
    frame = pl.DataFrame(rows, schema=results.schema("exclusions"), orient="row")
    return frame.group_by("scope", "reason").agg(pl.col("count").sum()).sort("scope", "count", descending=[False, True])


def _ranges(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Cut units into ranges of about `TASK_ROWS` rows; into two at least where there is work for two."""
    most = min(TASK_ROWS, max(sum(counts) // 2, TASK_LEAST_ROWS))
    found, first, held = [], 0, 0
    for index, count in enumerate(counts):
        if held and held + count > most:
            found.append((first, index))
            first, held = index, 0
        held += count
    return [*found, (first, len(counts))] if counts else []


def _unit_tasks(
    ready: Ready,
    names: tuple[list[int], list[int]],
    days: slice,
    column: str,
    counts: Sequence[int],
    scheme: Scheme,
    by_hour: bool = False,
) -> list[UnitTask]:
    """Return the tasks of some days; `names` are hashes of operators and stations."""
    paths = [task.target for task in ready.tasks[days]]
    kind = station_row() if column == "station" else area_row(ready.layers)
    layer = finest(ready.layers)
    in_order = column == area_column(layer) if layer else False
    votes = VotesTask(paths, "station" if column == "station" else "area").target
    return [
        UnitTask(paths, column, first, last, *names, votes, scheme, kind, in_order, by_hour)
        for first, last in _ranges(counts)
    ]


def _named(frame: pl.DataFrame, task: UnitTask, units: Sequence[str], period: str, name: str) -> pl.DataFrame:
    """Replace the index of the unit by its name and period."""
    own = pl.Series(name, units[task.first : task.last], dtype=pl.String)
    size = task.last - task.first
    hour = (pl.col("unit") // size).cast(pl.String).str.zfill(2)
    spoken = frame.with_columns((hour if task.by_hour else pl.lit(period)).alias("period"))
    return spoken.with_columns(own.gather(frame["unit"] % size)).drop("unit")


def _spans(ready: Ready, by_month: bool) -> dict[str, slice]:
    """Return the days of each period, where there are several months; days are in order."""
    months = [task.day[:7] for task in ready.tasks]
    spans = {WHOLE: slice(0, len(months))}
    if by_month and len(set(months)) > 1:
        spans |= {
            month: slice(bisect_left(months, month), bisect_right(months, month)) for month in sorted(set(months))
        }
    return spans


class Plan(NamedTuple):
    """A table to make: the tasks that judge its units, and what makes the table of their frames."""

    tasks: list[UnitTask]
    table_of: Callable[[list[pl.DataFrame]], pl.DataFrame]


def _area_plan(ready: Ready, thresholds: Thresholds, table: str, by_month: bool) -> Plan:
    """Plan the rating of every area of every layer, whole and by month, or in each hour of the day."""
    by_hour = table == "hour_ratings"
    scheme, parts = Scheme(thresholds, "area", ()), []
    operators = dict(enumerate([*ready.operators, ALL]))
    names: tuple[list[int], list[int]] = (list(ready.operators.values()), [])
    months = sorted({task.day[:7] for task in ready.tasks})
    for period, days in _spans(ready, by_month).items() if ready.tasks else ():
        for layer, areas in ready.layers.items():
            counts = np.sum([summary.area_counts[layer] for summary in ready.summaries[days]], axis=0).tolist()
            tasks = _unit_tasks(ready, names, days, area_column(layer), counts, scheme, by_hour)
            parts += [(layer, areas, period, task) for task in tasks]

    def table_of(judged: list[pl.DataFrame]) -> pl.DataFrame:
        frames = [
            _named(frame, task, areas, period, "area").with_columns(
                pl.lit(layer).alias("layer"), pl.col("operator").replace_strict(operators, return_dtype=pl.String)
            )
            for frame, (layer, areas, period, task) in zip(judged, parts, strict=True)
            if not frame.is_empty()
        ]
        if not frames:
            return pl.DataFrame(schema=results.schema(table))
        whole = pl.concat(frames)
        if by_month and len(months) == 1:  # the month is the whole
            whole = pl.concat((whole, whole.with_columns(pl.lit(months[0]).alias("period"))))
        if len(ready.operators) == 1:  # then its rows are those of all operators together, too
            whole = pl.concat((whole, whole.with_columns(pl.lit(ALL).alias("operator"))))
        return finish(table, whole, ("layer", "operator", "technology", "period"), thresholds, "area")

    return Plan([part[-1] for part in parts], table_of)


def _owner(station: str) -> str:
    """Return the operator of a cell that is in no registry, by the PLMN in its name; * where nobody knows."""
    plmn = station.split("-")[1] if station.startswith("cell-") else ""
    return operator_of(plmn[:3], plmn[3:]) or ALL


def _station_plan(ready: Ready, thresholds: Thresholds, owners: dict[str, str]) -> Plan:
    """Plan the rating of every base station that was seen; `owners` names the operator of each."""
    stations = list(ready.stations)
    # Rows of a station are not counted beforehand: they are taken as spread evenly over the hashes.
    kept = sum(n for summary in ready.summaries for scope, reason, n in summary.exclusions
               if (scope, reason) == ("base_station", "kept"))  # fmt: skip
    counts = [kept // max(len(stations), 1) + 1] * len(stations)
    scheme = Scheme(thresholds, "base_station", (), len(ready.tasks))
    hashes = (list(ready.operators.values()), list(ready.stations.values()))
    tasks = _unit_tasks(ready, hashes, slice(None), "station", counts, scheme) if stations else []
    names = owners | {station: _owner(station) for station in stations if station not in owners}

    def table_of(judged: list[pl.DataFrame]) -> pl.DataFrame:
        frames = [
            _named(frame, task, stations, WHOLE, "base_station")
            for frame, task in zip(judged, tasks, strict=True)
            if not frame.is_empty()
        ]
        if not frames:
            return pl.DataFrame(schema=results.schema("bts_ratings"))
        owner = pl.col("base_station").replace_strict(names, return_dtype=pl.String).alias("operator")
        whole = pl.concat(frames).with_columns(owner)
        return finish("bts_ratings", whole, ("operator", "technology", "period"), thresholds, "base_station")

    return Plan(tasks, table_of)


def rate(
    ready: Ready, thresholds: Thresholds, owners: dict[str, str], pool: Executor, by_month: bool = True,
    by_hour: bool = False, progress: Progress = silent,
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """Rate every area of every layer and every base station that was seen.

    Parameters
    ----------
    ready
        Partials of every day.
    thresholds
        The country's.
    owners
        Operator of each base station of the registry.
    pool
        Where to judge.
    by_month
        Also rate areas in each month by itself.
    by_hour
        Also rate areas in each local hour of the day.
    progress
        Told of each task.

    Returns
    -------
    `bts_ratings` and `area_ratings`; `hour_ratings` where asked for.
    """
    plans = {
        "bts_ratings": _station_plan(ready, thresholds, owners),
        "area_ratings": _area_plan(ready, thresholds, "area_ratings", by_month),
    }
    if by_hour:
        plans["hour_ratings"] = _area_plan(ready, thresholds, "hour_ratings", False)
    tasks = [task for plan in plans.values() for task in plan.tasks]
    fresh = [task for task in tasks if not judged_path(task).is_file()]
    spans = {task.votes: VotesTask(task.paths, "station" if task.column == "station" else "area") for task in tasks}
    each(pool, write_votes, [spans[path] for path in {task.votes: 0 for task in fresh} if not path.is_dir()])
    # All tasks are handed out before the first table is finished here: nobody waits.
    waiting = {id(task): future for task, future in zip(fresh, submitted(pool, judge_units, fresh), strict=True)}
    done = iter(range(len(tasks) - len(fresh) + 1, len(tasks) + 1))

    def judged(task: UnitTask) -> pl.DataFrame:
        if id(task) not in waiting:
            return judge_units(task)  # that is, read what an earlier run found
        (frame,) = fetched([waiting.pop(id(task))], lambda: progress("areas and stations", next(done), len(tasks)))
        return frame

    tables = {name: plan.table_of([judged(task) for task in plan.tasks]) for name, plan in plans.items()}
    partials.forget(ready.folder, [*(task.target for task in ready.tasks), *spans, *map(judged_path, tasks)])
    return tables


def write(archive: Archive, tables: dict[str, pl.DataFrame]) -> list[Path]:
    """Write result tables into an archive."""
    return [archive.write_result(name, frame) for name, frame in tables.items()]
