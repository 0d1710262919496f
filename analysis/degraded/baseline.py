"""What each test should have measured: its operator's hour of the week, its area, its device at its place.

Effects are fitted one after the other on eight weeks, each shrunk by how little was seen of it (Robinson 1991), on
values held to three robust deviations. What is left is the residual, and each carries its own deviation: a device
seen for the first time is less certain than one that has tested here every day.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LAG_DAYS = 2
"""The newest days are not learnt from, so that a degradation is not its own past."""
FEWEST = 200
"""Tests of an operator and technology below which nothing is expected of it yet."""
FEWEST_DAYS = 14
"""Days of history below which no hour of the week is known."""
_HOUR_PRIOR = 20.0
_AREA_PRIOR = 10.0
_PASSES = 3


class Values(NamedTuple):
    """Tests of one KPI as columns: higher is better, logarithms where the KPI is one of ratios.

    `group` numbers operator and technology, `hour` the hour of the week, `area` the finest area within the group,
    `device` the device at its place, `level` the epoch of a new normal (0 before any).
    """

    value: Floats
    group: Ints
    hour: Ints
    area: Ints
    device: Ints
    is_learnt: npt.NDArray[np.bool_]


class Residuals(NamedTuple):
    """Value less expectation, its deviation, and whether anything was expected."""

    residual: Floats
    deviation: Floats
    is_known: npt.NDArray[np.bool_]


def number(*columns: pl.Series) -> Ints:
    """Number the distinct rows of some columns.

    Examples
    --------
    >>> number(pl.Series(['a', 'b', 'a']), pl.Series([1, 1, 1])).tolist()
    [0, 1, 0]
    """
    frame = pl.DataFrame({f"c{index}": column for index, column in enumerate(columns)})
    ranks = frame.select(pl.struct(pl.all()).rank("dense").cast(pl.Int64) - 1).to_series()
    return np.asarray(ranks.to_numpy(), np.int64)


def _shrunk(index: Ints, value: Floats, size: int, prior: float | Floats) -> Floats:
    """Return sum / (count + prior) of each index."""
    total = np.bincount(index, value, minlength=size)
    return np.asarray(total / (np.bincount(index, minlength=size) + prior))


def _spread(value: Floats, group: Ints, size: int) -> Floats:
    """Return the robust deviation of each group."""
    frame = pl.DataFrame({"group": group, "value": np.abs(value)}).group_by("group").agg(pl.col("value").median())
    result = np.ones(size)
    result[frame["group"].to_numpy()] = np.maximum(1.4826 * frame["value"].to_numpy(), 1e-3)
    return result


def _components(rest: Floats, device: Ints, group: Ints, devices: int, groups: int) -> tuple[Floats, Floats]:
    """Return the variance within devices and between them, by group (Henderson's method of moments)."""
    count = np.bincount(device, minlength=devices).astype(float)
    mean = np.bincount(device, rest, minlength=devices) / np.maximum(count, 1)
    inside = np.bincount(group, (rest - mean[device]) ** 2, minlength=groups)
    owner = np.zeros(devices, np.int64)
    owner[device] = group
    seen = count > 0
    freedom = np.bincount(group, minlength=groups) - np.bincount(owner[seen], minlength=groups)
    within = inside / np.maximum(freedom, 1)
    whole = np.bincount(group, rest**2, minlength=groups) / np.maximum(np.bincount(group, minlength=groups), 1)
    within = np.where(freedom > 20, within, whole)
    return np.maximum(within, 1e-6), np.maximum(whole - within, 0.02 * whole)


def expect(values: Values) -> Residuals:
    """Fit the baseline on what is learnt and judge every row by it.

    Parameters
    ----------
    values
        Tests; rows whose `is_learnt` is set make the baseline.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> n = 2000
    >>> group, hour, area = np.zeros(n, int), np.arange(n) % 168, np.zeros(n, int)
    >>> device = rng.integers(0, 50, n)
    >>> value = 3 + rng.normal(0, 1, 50)[device] + rng.normal(0, 0.2, n)
    >>> found = expect(Values(value, group, hour, area, device, np.ones(n, bool)))
    >>> bool(abs(np.std(found.residual) - 0.2) < 0.03)
    True
    """
    groups, areas = int(values.group.max(initial=0)) + 1, int(values.area.max(initial=0)) + 1
    devices = int(values.device.max(initial=0)) + 1
    learnt = np.flatnonzero(values.is_learnt)
    y, group, area, device = values.value[learnt], values.group[learnt], values.area[learnt], values.device[learnt]
    slot = group * 168 + values.hour[learnt]
    day = group * 24 + values.hour[learnt] % 24
    known = np.bincount(group, minlength=groups) >= FEWEST
    frame = pl.DataFrame({"group": group, "value": y}).group_by("group").agg(pl.col("value").median())
    level = np.zeros(groups)
    level[frame["group"].to_numpy()] = frame["value"].to_numpy()
    hourly, local, own = np.zeros(groups * 168), np.zeros(areas), np.zeros(devices)
    within, between = np.ones(groups), np.ones(groups)
    for _ in range(_PASSES):
        rest = y - level[group] - local[area] - own[device]
        bound = 3 * _spread(rest, group, groups)[group]
        rest = np.clip(rest, -bound, bound)
        daily = _shrunk(day, rest, groups * 24, _HOUR_PRIOR)
        each = np.arange(groups * 168)
        prior = daily[each // 168 * 24 + each % 24]
        hourly = prior + _shrunk(slot, rest - daily[day], groups * 168, _HOUR_PRIOR)
        rest = y - level[group] - hourly[slot]
        bound = 4 * _spread(rest, group, groups)[group]
        rest = np.clip(rest, -bound, bound)
        local = _shrunk(area, rest, areas, _AREA_PRIOR)
        rest -= local[area]
        within, between = _components(rest, device, group, devices, groups)
        owner = np.zeros(devices, np.int64)
        owner[device] = group
        own = _shrunk(device, rest, devices, (within / between)[owner])
    count = np.bincount(device, minlength=devices)
    ratio = (within / between)[values.group]
    unsure = between[values.group] * ratio / (count[values.device] + ratio)
    expected = level[values.group] + hourly[values.group * 168 + values.hour] + local[values.area] + own[values.device]
    deviation = np.sqrt(within[values.group] + unsure)
    return Residuals(values.value - expected, deviation, known[values.group])
