"""Tallies of one KPI over many groups at once: weighted distributions, and where their uncertainty comes from.

A group is (unit, operator, technology); a unit is an area, an area in a month, or a base station. One device, one vote,
divided over where and on what it was used: the weights of all tests of a device in a period sum to 1, and those of one
unit of `analysis.partition` are equal shares of one. The variance of an estimate is taken between devices, which are
what was sampled; they are dealt into `SPLITS` random groups by a hash, so that a tally has a fixed size however many
devices there are (Wolter 2007, chapter 2).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.quantisation import BINS, MISSING

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SPLITS = 32
"""Random groups of devices: 31 degrees of freedom at most."""

_EDGES = np.array([0.005, 0.02, 0.04, 0.06, 0.08, *np.arange(0.1, 0.9, 0.04), 0.9, 0.93, 0.96, 0.98, 0.99, 0.997])
CLASSES = len(_EDGES) + 1
"""Coarse classes of values, by quantiles of the unit's pooled distribution; finer at the tails."""


class Rows(NamedTuple):
    """Tests of some units, as columns of equal length.

    `share` is 1 / unit_size; `weight` the part of its device's vote that a test holds; `day` counts from 1970.
    """

    unit: Ints
    operator: Ints
    technology: Ints
    device: npt.NDArray[np.uint32]
    share: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    day: npt.NDArray[np.uint16]
    is_simulated: npt.NDArray[np.bool_]
    codes: dict[str, npt.NDArray[np.uint16]]


def take(rows: Rows, index: Ints) -> Rows:
    """Return some of the rows."""
    return Rows(
        rows.unit[index], rows.operator[index], rows.technology[index], rows.device[index], rows.share[index],
        rows.weight[index], rows.day[index], rows.is_simulated[index],
        {kpi: codes[index] for kpi, codes in rows.codes.items()},
    )  # fmt: skip


class Frame(NamedTuple):
    """Rows put into groups: sorted by group and device, with numbered devices."""

    shape: tuple[int, int, int]
    order: Ints
    group: Ints
    device: Ints  # number of the (group, device)
    device_group: Ints  # group of each of them
    device_name: Ints  # device of each of them
    share: Floats
    weight: Floats
    split: Ints


class Tally(NamedTuple):
    """What one KPI says of each group. Weights of a group sum to 1.

    Shapes: G groups = units x operators x technologies.
    """

    rows_count: Floats  # (G,) units of `analysis.partition`
    votes: Floats  # (G,) sum of the votes of devices
    fine: Floats  # (G, BINS) weight by code
    classes: npt.NDArray[np.uint8]  # (units, BINS) class of each code
    by_device: Floats  # (G, SPLITS, CLASSES) weight
    sums: Floats  # (G, CLASSES) weight x value
    squares: Floats  # (G,) sum of squared weights


def put_in_groups(rows: Rows, shape: tuple[int, int, int]) -> Frame:
    """Sort rows by group and device, and number the devices within groups."""
    group = (rows.unit * shape[1] + rows.operator) * shape[2] + rows.technology
    key = group << 32 | rows.device.astype(np.int64)
    order = np.argsort(key, kind="stable")
    key = key[order]
    device = np.cumsum(np.diff(key, prepend=key[:1]) != 0)
    first = np.flatnonzero(np.diff(key, prepend=-1) != 0)
    name = key[first] & 0xFFFFFFFF
    share, weight = (of[order].astype(np.float64) for of in (rows.share, rows.weight))
    return Frame(shape, order, key >> 32, device, key[first] >> 32, name, share, weight, key & (SPLITS - 1))


def _sums(index: Ints, weight: Floats, shape: tuple[int, ...]) -> Floats:
    """Sum weights by index into a table of this shape."""
    size = int(np.prod(shape))
    return np.asarray(np.bincount(index, weight, minlength=size), np.float64).reshape(shape)


def _classes(fine: Floats, count: Floats, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Return the class of each code of each unit, by the unit's pooled distribution."""
    pooled = (fine * count[:, None]).reshape(shape[0], -1, BINS).sum(1)
    below = np.cumsum(pooled, 1) - pooled / 2
    below /= np.maximum(pooled.sum(1, keepdims=True), 1e-300)
    below += 2.0 * np.arange(shape[0])[:, None]
    # Where each edge falls, then how many edges lie at or below each code: cheaper than to look up every code.
    units = np.arange(shape[0])[:, None]
    position = np.searchsorted(below.ravel(), (_EDGES + 2.0 * units).ravel(), side="right").reshape(shape[0], -1)
    marks = np.zeros((shape[0], BINS + 1), np.uint8)
    np.add.at(marks, (np.broadcast_to(units, position.shape), np.clip(position - units * BINS, 0, BINS)), 1)
    return np.asarray(np.cumsum(marks, 1, dtype=np.uint8)[:, :BINS])


def tally(frame: Frame, codes: npt.NDArray[np.uint16], centres: Floats) -> Tally:
    """Tally one KPI.

    Parameters
    ----------
    frame
        Rows in groups.
    codes
        The KPI's code of each row, in the rows' own order.
    centres
        Value of each code.
    """
    groups = int(np.prod(frame.shape))
    codes = codes[frame.order]
    valid = np.flatnonzero(codes != MISSING)
    code = codes[valid].astype(np.int64)
    group = frame.group[valid]
    votes = _sums(group, frame.weight[valid], (groups,))
    weight = frame.weight[valid] / votes[group]
    value = centres[code]
    fine = _sums(group * BINS + code, weight, (groups, BINS))
    rows_count = _sums(group, frame.share[valid], (groups,))
    classes = _classes(fine, rows_count, frame.shape)
    kind = classes[group // (frame.shape[1] * frame.shape[2]), code]
    of_class = group * CLASSES + kind
    of_split = (group * SPLITS + frame.split[valid]) * CLASSES + kind
    return Tally(
        rows_count, votes, fine, classes, _sums(of_split, weight, (groups, SPLITS, CLASSES)),
        _sums(of_class, weight * value, (groups, CLASSES)), _sums(group, weight * weight, (groups,)),
    )  # fmt: skip


def slots(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the numbers of operators and technologies with their mixes; one alone needs no mix of its own."""
    return shape[1] + (shape[1] > 1), shape[2] + 1


def mix(values: Floats, count: Floats, shape: tuple[int, int, int], power: int = 1) -> Floats:
    """Add to each unit the mixes over operators and technologies, each weighing as many votes as it has.

    Parameters
    ----------
    values
        Shape (G, …), G = units x operators x technologies.
    count
        Votes of each group, shape (G,).
    shape
        Numbers of units, operators, technologies.
    power
        2 for squared weights.

    Returns
    -------
    Shape (units x slots, …); the last operator (where there are several) and the last technology are the mixes.
    """
    units, operators, technologies = shape
    rest = values.shape[1:]
    n = count.reshape(shape)
    result = np.zeros((units, *slots(shape), *rest))
    result[:, :operators, :technologies] = values.reshape(*shape, *rest)

    def over(axis: int, of: Floats, number: Floats) -> Floats:
        whole = number.sum(axis, keepdims=True)
        share = np.divide(number, whole, out=np.zeros_like(number), where=whole > 0) ** power
        return np.asarray((of * share.reshape(*share.shape, *(1,) * len(rest))).sum(axis))

    if operators > 1:
        result[:, operators, :technologies] = over(1, result[:, :operators, :technologies], n)
        result[:, operators, technologies] = over(1, result[:, operators, :technologies], n.sum(1))
    result[:, :operators, technologies] = over(2, result[:, :operators, :technologies], n)
    return result.reshape(-1, *rest)


def mix_count(count: Any, shape: tuple[int, int, int]) -> Floats:
    """Add to each unit the sums over operators and technologies."""
    n = np.asarray(count, np.float64).reshape(shape)
    if shape[1] > 1:
        n = np.concatenate((n, n.sum(1, keepdims=True)), 1)
    return np.concatenate((n, n.sum(2, keepdims=True)), 2).ravel()
