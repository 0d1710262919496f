"""Tasks that judge a range of units from the partials of many days. Memory is bounded by the task, not by the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.groups import Ints, Rows, order_of, part
from analysis.judge import Scheme, judge_ordered
from analysis.partition import KPI_IDS
from analysis.shelf import AREA_TESTS, STATION_TESTS, joined, picked, tests_of
from analysis.technology import MOBILE
from analysis.votes import Votes, read_votes

TASK_ROWS = 1_500_000
"""Tests of one task: about 150 MB with their sorted copies."""

TASK_LEAST_ROWS = 250_000
"""Fewer are not worth a task of their own: each opens every day."""

GROUPS_AT_ONCE = 1200
"""Groups tallied together: about 60 MB of tables."""


class UnitTask(NamedTuple):
    """Units to judge: areas `first` to `last` (exclusive) of a layer in each period, or base stations likewise.

    `names` are the hashes of the operators, or of the base stations, in the order of their indices.
    `periods` is the index of the period of each path.
    """

    paths: list[Path]
    column: str  # column of the unit: areas_…, or station
    first: int
    last: int
    operators: list[int]
    stations: list[int]
    periods: list[int]
    periods_count: int
    votes: Path
    scheme: Scheme
    kind: np.dtype[Any]


def _units_of(task: UnitTask, tests: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """Return the number of the unit of each test of a day; beyond the task's range for what is none of its."""
    if task.column != "station":
        return np.asarray(tests[task.column])
    names = np.searchsorted(np.array(task.stations, np.uint64), np.load(path / "stations.npy"))
    return np.asarray(names[tests["station"]])


class _Day(NamedTuple):
    """Tests of a task's units of one day: their rows, and what they are to the task."""

    tests: npt.NDArray[Any]  # rows of `analysis.partition`
    unit: Ints
    device: npt.NDArray[np.uint32]
    weight: npt.NDArray[np.float32]


def _day(task: UnitTask, number: int, votes: Votes) -> _Day:
    path = task.paths[number]
    tests = tests_of(path / (STATION_TESTS if task.column == "station" else AREA_TESTS), task.kind)
    unit = _units_of(task, tests, path)
    own = np.flatnonzero((unit >= task.first) & (unit < task.last))
    if len(own) < len(tests):
        unit, tests = unit[own], picked(tests, own)
    period = task.periods[number]
    device = votes.device[number][tests["device_number"]]
    weight = 1 / (tests["unit_size"] * votes.units[period][device])
    return _Day(tests, unit.astype(np.int64) + (period * (task.last - task.first) - task.first), device, weight)


def _rows(task: UnitTask, votes: Votes) -> Rows:
    """Read the tests of a task, in order."""
    days = [_day(task, number, votes) for number in range(len(task.paths))]
    tests = joined([day.tests for day in days])
    unit, device, weight = (np.concatenate([day[part] for day in days]) for part in (1, 2, 3))
    del days
    operators = np.array(task.operators, np.uint64)
    operator = (
        np.zeros(len(unit), np.int64) if task.column == "station" else np.searchsorted(operators, tests["operator"])
    )
    order = order_of(unit, operator, tests["technology"], device)
    tests, device = picked(tests, order), device[order]
    return Rows(
        unit[order], operator[order], tests["technology"], device, votes.split[device],
        (1 / tests["unit_size"]).astype(np.float32), weight[order], tests["day"], tests["is_simulated"],
        {kpi: tests[kpi] for kpi in KPI_IDS},
    )  # fmt: skip


def _slices(rows: Rows, units: int, groups_of_unit: int) -> Iterator[tuple[int, int, Rows]]:
    """Yield ranges of units with their tests, few enough groups at a time; tests are in order."""
    ends = np.searchsorted(rows.unit, np.arange(units + 1))
    step = max(GROUPS_AT_ONCE // groups_of_unit, 1)
    for first in range(0, units, step):
        last = min(first + step, units)
        own = part(rows, ends[first], ends[last])
        yield first, last, own._replace(unit=own.unit - first)


def judge_units(task: UnitTask) -> pl.DataFrame:
    """Judge the units of a task; `unit` is period x (last - first) + unit - first, technologies index MOBILE."""
    rows = _rows(task, read_votes(task.votes))
    if not len(rows.unit):
        return pl.DataFrame()
    present = np.unique(rows.technology)
    technologies = [MOBILE[index] for index in present]
    scheme = task.scheme._replace(technologies=technologies)
    rows = rows._replace(technology=np.searchsorted(present, rows.technology))
    operators = 1 if task.column == "station" else len(task.operators)
    units = (task.last - task.first) * task.periods_count
    frames = []
    for first, last, own in _slices(rows, units, (operators + 1) * (len(technologies) + 1)):
        if len(own.unit):
            frame = judge_ordered(own, (last - first, operators, len(technologies)), scheme, KPI_IDS)
            frames.append(frame.with_columns(pl.col("unit") + first))
    names = pl.Series("technology", [*technologies, "*"])
    whole = pl.concat(frames)
    return whole.with_columns(names.gather(whole["technology"]))
