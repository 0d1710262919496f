"""Tasks that judge a range of units from the partials of many days. Memory is bounded by the task, not by the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.judge import Scheme, judge
from analysis.partials import Units
from analysis.partition import KPI_IDS
from analysis.tally import Rows, take
from analysis.technology import MOBILE

Ints = npt.NDArray[np.int64]

TASK_ROWS = 1_500_000
"""Collapsed rows of one task: about 150 MB with their sorted copies."""

GROUPS_AT_ONCE = 1200
"""Groups tallied together: about 60 MB of tables."""


class UnitTask(NamedTuple):
    """Units to judge: areas `first` to `last` (exclusive) of a layer in each period, or base stations likewise.

    `names` are the hashes of the operators, or of the base stations, in the order of their indices.
    `period_of_day` is the index of the period of each day since 1970 - `first_day`.
    """

    paths: list[Path]
    column: str  # column of the unit: areas_…, or station
    first: int
    last: int
    operators: list[int]
    stations: list[int]
    first_day: int
    period_of_day: list[int]
    periods_count: int
    units: Units
    scheme: Scheme


def _load(task: UnitTask) -> pl.DataFrame:
    """Read the rows of a task's units."""
    file = "area_rows.arrow" if task.column != "station" else "station_rows.arrow"
    wanted = ["day", "device", "operator", "technology", "unit_size", "is_simulated", task.column, *KPI_IDS]
    lazy = pl.scan_ipc([path / file for path in task.paths], glob=False)
    if task.column == "station":
        inside = pl.col("station").is_between(task.stations[task.first], task.stations[task.last - 1])
    else:
        inside = pl.col(task.column).is_between(task.first, task.last - 1)
    return lazy.filter(inside).select(wanted).collect()


def _index(values: npt.NDArray[np.uint64], names: Sequence[int]) -> Ints:
    return np.searchsorted(np.array(names, np.uint64), values)


def _rows(task: UnitTask, frame: pl.DataFrame) -> tuple[Rows, int]:
    """Turn loaded rows into columns of indices; return them and the number of operators."""
    day = frame["day"].to_numpy()
    period = np.array(task.period_of_day, np.int64)[day.astype(np.int64) - task.first_day]
    size = task.last - task.first
    if task.column == "station":
        unit = _index(frame["station"].to_numpy(), task.stations[task.first : task.last])
        operator = np.zeros(len(frame), np.int64)
    else:
        unit = frame[task.column].to_numpy().astype(np.int64) - task.first
        operator = _index(frame["operator"].to_numpy(), task.operators)
    device = frame["device"].to_numpy()
    share = (1 / frame["unit_size"].to_numpy()).astype(np.float32)
    rows = Rows(
        period * size + unit,
        operator,
        frame["technology"].to_numpy().astype(np.int64),
        device,
        share,
        share / task.units.of(period, device),
        day,
        frame["is_simulated"].to_numpy(),
        {kpi: frame[kpi].to_numpy() for kpi in KPI_IDS},
    )
    return rows, 1 if task.column == "station" else len(task.operators)


def _slices(rows: Rows, units: int, groups_of_unit: int) -> Iterator[tuple[int, int, Rows]]:
    """Yield ranges of units with their rows, few enough groups at a time."""
    order = np.argsort(rows.unit, kind="stable")
    ends = np.searchsorted(rows.unit[order], np.arange(units + 1))
    step = max(GROUPS_AT_ONCE // groups_of_unit, 1)
    for first in range(0, units, step):
        last = min(first + step, units)
        index = order[ends[first] : ends[last]]
        yield first, last, take(rows, index)._replace(unit=rows.unit[index] - first)


def judge_units(task: UnitTask) -> pl.DataFrame:
    """Judge the units of a task; `unit` is period x (last - first) + unit - first, technologies index MOBILE."""
    rows, operators = _rows(task, _load(task))
    present = np.unique(rows.technology)
    technologies = [MOBILE[index] for index in present]
    scheme = task.scheme._replace(technologies=technologies)
    rows = rows._replace(technology=np.searchsorted(present, rows.technology))
    units = (task.last - task.first) * task.periods_count
    frames = []
    for first, last, own in _slices(rows, units, (operators + 1) * (len(technologies) + 1)):
        if not len(own.unit):
            continue
        frame = judge(own, (last - first, operators, len(technologies)), scheme, KPI_IDS)
        frames.append(frame.with_columns(pl.col("unit") + first))
    if not frames:
        return pl.DataFrame()
    names = [*technologies, "*"]
    return pl.concat(frames).with_columns(
        pl.col("technology").replace_strict(dict(enumerate(names)), return_dtype=pl.String)
    )
