"""What each test should have measured: its operator's hour of the week, its area and place, its device there.

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
_PASSES = 3
_HELD = 4.0


class Values(NamedTuple):
    """Tests of one KPI as columns: higher is better, logarithms where the KPI is one of ratios.

    `group` numbers operator and technology, `hour` the hour of the week, `area` the finest area within the group,
    `place` the H3 cell of resolution 8 within the group, `device` the device at its place.
    """

    value: Floats
    group: Ints
    hour: Ints
    area: Ints
    place: Ints
    device: Ints


class Sizes(NamedTuple):
    """How many groups, areas, places and devices there are; the last number of each is for what was never seen."""

    group: int
    area: int
    place: int
    device: int


class Effect(NamedTuple):
    """One part of what is expected: the part of each row, how many parts, and how many rows it takes to believe one."""

    part: Ints
    size: int
    prior: float
    is_device: bool = False


class Baseline(NamedTuple):
    """What was learnt: level, scatter and number of tests of each group, the parts, tests of each device."""

    sizes: Sizes
    level: Floats
    within: Floats
    between: Floats
    is_known: npt.NDArray[np.bool_]
    parts: list[Floats]
    seen: Ints


class Residuals(NamedTuple):
    """Value less expectation, its deviation, and whether anything was expected."""

    residual: Floats
    deviation: Floats
    is_known: npt.NDArray[np.bool_]


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
    return np.maximum(within, 1e-6), np.maximum(np.maximum(whole - within, 0.02 * whole), 1e-6)


def _effects(values: Values, sizes: Sizes) -> list[Effect]:
    """Return the parts, from what many share to what one device at one place at one hour shows."""
    of_day = values.hour % 24
    return [
        Effect(values.group * 24 + of_day, sizes.group * 24, 20.0),
        Effect(values.group * 168 + values.hour, sizes.group * 168, 20.0),
        Effect(values.area, sizes.area, 10.0),
        Effect(values.area * 24 + of_day, sizes.area * 24, 10.0),
        Effect(values.place * 24 + of_day, sizes.place * 24, 10.0),
        Effect(values.device, sizes.device, 0.0, is_device=True),
        Effect(values.device * 24 + of_day, sizes.device * 24, 3.0),
    ]


def fit(values: Values, sizes: Sizes) -> Baseline:
    """Learn what each test should have measured.

    Parameters
    ----------
    values
        Tests to learn from.
    sizes
        Numbers of what there is; the last of each must not be among them.
    """
    y, group, device = values.value, values.group, values.device
    known = np.bincount(group, minlength=sizes.group) >= FEWEST
    frame = pl.DataFrame({"group": group, "value": y}).group_by("group").agg(pl.col("value").median())
    level = np.zeros(sizes.group)
    level[frame["group"].to_numpy()] = frame["value"].to_numpy()
    owner = np.zeros(sizes.device, np.int64)
    owner[device] = group
    effects = _effects(values, sizes)
    parts = [np.zeros(effect.size) for effect in effects]
    fitted = level[group]
    within: Floats = np.ones(sizes.group)
    between: Floats = np.ones(sizes.group)
    for _ in range(_PASSES):
        bound = _HELD * _spread(y - fitted, group, sizes.group)[group]
        for number, effect in enumerate(effects):
            own = parts[number][effect.part]
            rest = np.clip(y - fitted, -bound, bound) + own
            fitted -= own
            prior: float | Floats = effect.prior
            if effect.is_device:
                within, between = _components(rest, device, group, sizes.device, sizes.group)
                prior = (within / between)[owner]
            parts[number] = _shrunk(effect.part, rest, effect.size, prior)
            fitted += parts[number][effect.part]
    rest = y - fitted
    bound = _HELD * _spread(rest, group, sizes.group)[group]
    squares = np.bincount(group, np.clip(rest, -bound, bound) ** 2, minlength=sizes.group)
    within = np.asarray(np.maximum(squares / np.maximum(np.bincount(group, minlength=sizes.group), 1), 1e-6))
    return Baseline(sizes, level, within, between, known, parts, np.bincount(device, minlength=sizes.device))


def expect(baseline: Baseline, values: Values) -> Residuals:
    """Judge every test by what was learnt; of what was never seen only the rest is expected.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> n = 2000
    >>> group, hour, area = np.zeros(n, int), np.arange(n) % 168, np.zeros(n, int)
    >>> device = rng.integers(0, 50, n)
    >>> value = 3 + rng.normal(0, 1, 50)[device] + rng.normal(0, 0.2, n)
    >>> values = Values(value, group, hour, area, area, device)
    >>> found = expect(fit(values, Sizes(2, 2, 2, 51)), values)
    >>> bool(np.std(found.residual) < 0.25 < np.std(value))
    True
    """
    group, device = values.group, values.device
    ratio = (baseline.within / baseline.between)[group]
    unsure = baseline.between[group] * ratio / (baseline.seen[device] + ratio)
    expected = baseline.level[group]
    for effect, part in zip(_effects(values, baseline.sizes), baseline.parts, strict=True):
        expected = expected + part[effect.part]
    return Residuals(values.value - expected, np.sqrt(baseline.within[group] + unsure), baseline.is_known[group])
