"""Tasks that judge a range of units from the partials of many days. Memory is bounded by the task, not by the table."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import estimates, evidence_counts, groups, intervals, judge, scores, sheet, tally, total
from analysis.groups import Rows, order_of, part
from analysis.judge import Scheme, judge_ordered
from analysis.partials import code_digest
from analysis.partition import KPI_IDS
from analysis.shelf import AREA_TESTS, OPERATORS, STATION_TESTS, STATIONS, Columns, hashes, tests_of
from analysis.technology import MOBILE
from analysis.votes import Votes, read_votes

_CODE = (estimates, evidence_counts, groups, intervals, judge, scores, sheet, tally, total)

TASK_ROWS = 1_500_000
"""Tests of one task: about 150 MB with their sorted copies."""

TASK_LEAST_ROWS = 250_000
"""Fewer are not worth a task of their own: each opens every day."""

GROUPS_AT_ONCE = 1200
"""Groups tallied together: about 60 MB of tables."""


class UnitTask(NamedTuple):
    """Units to judge in a period: areas `first` to `last` (exclusive) of a layer, or base stations likewise.

    `operators` and `stations` are the hashes of names, in the order of their indices.
    """

    paths: list[Path]
    column: str  # column of the unit: areas_…, or station
    first: int
    last: int
    operators: list[int]
    stations: list[int]
    votes: Path
    scheme: Scheme
    kind: np.dtype[Any]
    is_in_order: bool  # whether the tests of a day are in the order of these areas
    by_hour: bool  # in each hour of the day by itself: unit = hour x areas + area


class _Day(NamedTuple):
    """Tests of a task's units of one day: their columns, and what they are to the task."""

    unit: npt.NDArray[np.int32]
    device: npt.NDArray[np.uint32]
    weight: npt.NDArray[np.float32]
    operator: npt.NDArray[np.uint8]
    columns: Columns


def _own(task: UnitTask, tests: Columns, path: Path) -> tuple[npt.NDArray[Any], Any]:
    """Return the unit of each of a task's tests of a day, and which they are."""
    column = tests[task.column]
    if task.column == "station":
        # Tests are in the order of stations: theirs, and that of all days, is by hash.
        number = np.searchsorted(np.array(task.stations, np.uint64), hashes(path / STATIONS))
        first, last = np.searchsorted(column, np.searchsorted(number, (task.first, task.last)))
        return number[column[first:last]], slice(first, last)
    if task.is_in_order:
        first, last = np.searchsorted(column, (task.first, task.last))
        return column[first:last], slice(first, last)
    chosen = np.flatnonzero((column >= task.first) & (column < task.last))
    return column[chosen], chosen


def _day(task: UnitTask, number: int, votes: Votes) -> _Day:
    path = task.paths[number]
    tests = tests_of(path / (STATION_TESTS if task.column == "station" else AREA_TESTS), task.kind)
    unit, chosen = _own(task, tests, path)
    device = votes.device[number][tests["device_number"][chosen]]
    weight = 1 / (tests["unit_size"][chosen] * votes.units[device])
    places = np.searchsorted(np.array(task.operators, np.uint64), hashes(path / OPERATORS)).astype(np.uint8)
    operator = tests["operator"][chosen]
    number_of = unit.astype(np.int32) - np.int32(task.first)
    if task.by_hour:
        number_of += tests["hour"][chosen] * np.int32(task.last - task.first)
    return _Day(
        number_of, device, weight,
        np.zeros_like(operator) if task.column == "station" else places[operator],
        {name: tests[name][chosen] for name in ("technology", "unit_size", "day", "is_simulated", *KPI_IDS)},
    )  # fmt: skip


def _rows(task: UnitTask, votes: Votes) -> Rows:
    """Read the tests of a task, in order."""
    days = [_day(task, number, votes) for number in range(len(task.paths))]

    def column(name: str) -> npt.NDArray[Any]:
        return np.concatenate([day.columns[name] for day in days])

    unit, device, weight, operator = (np.concatenate([day[part] for day in days]) for part in range(4))
    technology = column("technology")
    order = order_of(unit, operator, technology, device)
    device = device[order]
    return Rows(
        unit[order], operator[order], technology[order], device, votes.split[device],
        (1 / column("unit_size")[order]).astype(np.float32), weight[order], column("day")[order],
        column("is_simulated")[order], {kpi: column(kpi)[order] for kpi in KPI_IDS},
    )  # fmt: skip


def _slices(rows: Rows, units: int, groups_of_unit: int) -> Iterator[tuple[int, int, Rows]]:
    """Yield ranges of units with their tests, few enough groups at a time; tests are in order."""
    ends = np.searchsorted(rows.unit, np.arange(units + 1))
    step = max(GROUPS_AT_ONCE // groups_of_unit, 1)
    for first in range(0, units, step):
        last = min(first + step, units)
        own = part(rows, ends[first], ends[last])
        yield first, last, own._replace(unit=own.unit - first)


def judged_path(task: UnitTask) -> Path:
    """Return where the figures of a task are kept: by what they are made of."""
    key = hashlib.sha256(code_digest(_CODE).encode())
    key.update(
        repr(
            [task.votes.name, task.column, task.first, task.last, task.operators, task.scheme.scope, task.by_hour]
        ).encode()
    )
    key.update(np.array(task.stations if task.column == "station" else [], np.uint64).tobytes())
    key.update(msgspec.json.encode(task.scheme.thresholds))
    return task.votes.with_name(f"judged-{key.hexdigest()[:32]}.arrow")


def judge_units(task: UnitTask) -> pl.DataFrame:
    """Judge the units of a task, or find what was judged of them: a month that is over is not judged again."""
    path = judged_path(task)
    if path.is_file():
        return pl.read_ipc(path)
    frame = _judged(task)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    frame.write_ipc(fresh)
    fresh.rename(path)
    return frame


def _judged(task: UnitTask) -> pl.DataFrame:
    """Judge the units of a task; `unit` counts from its first."""
    rows = _rows(task, read_votes(task.votes))
    if not len(rows.unit):
        return pl.DataFrame()
    present = np.unique(rows.technology)
    technologies = [MOBILE[index] for index in present]
    scheme = task.scheme._replace(technologies=technologies)
    rows = rows._replace(technology=np.searchsorted(present, rows.technology))
    operators = 1 if task.column == "station" else len(task.operators)
    units = (task.last - task.first) * (24 if task.by_hour else 1)
    frames = []
    for first, last, own in _slices(rows, units, (operators + 1) * (len(technologies) + 1)):
        if len(own.unit):
            frame = judge_ordered(own, (last - first, operators, len(technologies)), scheme, KPI_IDS)
            frames.append(frame.with_columns(pl.col("unit") + first))
    names = pl.Series("technology", [*technologies, "*"])
    whole = pl.concat(frames)
    return whole.with_columns(names.gather(whole["technology"]))
