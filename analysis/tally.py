"""Tallies of one KPI over many groups at once: weighted distributions, and where their uncertainty comes from.

A group is (unit, operator, technology); a unit is an area, an area in a month, or a base station. The variance of an
estimate is taken over two kinds of clusters, devices and H3 cells (Cameron, Gelbach and Miller 2011): devices differ
from one another, and so do places. Clusters are dealt into `SPLITS` random groups by a hash, so that a tally has a
fixed size however many devices there are (Wolter 2007, chapter 2).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.quantisation import BINS, MISSING
from analysis.weights import cap_devices, cell_weights

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SPLITS = 32
"""Random groups of clusters: 31 degrees of freedom at most."""

_EDGES = np.array([0.005, 0.02, 0.04, 0.06, 0.08, *np.arange(0.1, 0.9, 0.04), 0.9, 0.93, 0.96, 0.98, 0.99, 0.997])
CLASSES = len(_EDGES) + 1
"""Coarse classes of values, by quantiles of the unit's pooled distribution; finer at the tails."""


class Rows(NamedTuple):
    """Collapsed rows of some units, as columns of equal length.

    `place` is what weights are balanced over and the second kind of cluster: the H3 cell; for a base station the day.
    """

    unit: Ints
    operator: Ints
    technology: Ints
    device: npt.NDArray[np.uint32]
    place: npt.NDArray[np.uint32]
    tests: npt.NDArray[np.uint32]
    is_simulated: npt.NDArray[np.bool_]
    codes: dict[str, npt.NDArray[np.uint16]]


def take(rows: Rows, index: Ints) -> Rows:
    """Return some of the rows."""
    return Rows(
        rows.unit[index], rows.operator[index], rows.technology[index], rows.device[index], rows.place[index],
        rows.tests[index], rows.is_simulated[index], {kpi: codes[index] for kpi, codes in rows.codes.items()},
    )  # fmt: skip


class Frame(NamedTuple):
    """Rows put into groups: sorted by group and place, with numbered places and devices."""

    shape: tuple[int, int, int]
    group: Ints
    place: Ints  # number of the (group, place)
    device: Ints  # number of the (group, device)
    device_group: Ints
    device_split: Ints
    place_split: Ints
    order: Ints


class Tally(NamedTuple):
    """What one KPI says of each group. Weights of a group sum to 1.

    Shapes: G groups = units x operators x technologies.
    """

    rows_count: Floats  # (G,)
    square: Floats  # (G,) sum of squared weights
    fine: Floats  # (G, BINS) weight by code
    classes: npt.NDArray[np.uint8]  # (units, BINS) class of each code
    by_device: Floats  # (G, SPLITS, CLASSES) weight
    by_place: Floats  # (G, SPLITS, CLASSES)
    squares: Floats  # (G, CLASSES) squared weight


def put_in_groups(rows: Rows, shape: tuple[int, int, int]) -> Frame:
    """Sort rows by group and place, and number places and devices within groups."""
    group = (rows.unit * shape[1] + rows.operator) * shape[2] + rows.technology
    key = group << 32 | rows.place.astype(np.int64)
    order = np.argsort(key, kind="stable")
    key = key[order]
    place = np.cumsum(np.diff(key, prepend=key[:1]) != 0)
    group = group[order]
    pairs, device = np.unique(group << 32 | rows.device[order].astype(np.int64), return_inverse=True)
    mixed = rows.place[order] * np.uint32(2654435761)
    return Frame(
        shape,
        group,
        place,
        device.astype(np.int64),
        pairs >> 32,
        (rows.device[order] & np.uint32(SPLITS - 1)).astype(np.int64),
        (mixed >> np.uint32(27)).astype(np.int64) & (SPLITS - 1),
        order,
    )


def weigh(frame: Frame, valid: Ints, is_balanced: bool) -> Floats:
    """Return the weight of each valid row; those of a group sum to 1."""
    groups = int(np.prod(frame.shape))
    group, device = frame.group[valid], frame.device[valid]
    weight = cell_weights(frame.place[valid]) if is_balanced else np.ones(len(valid))
    totals = np.asarray(np.bincount(device, weight, minlength=len(frame.device_group)), np.float64)
    weight *= cap_devices(totals, frame.device_group, groups)[device]
    return np.asarray(weight / np.bincount(group, weight, minlength=groups)[group])


def _sums(index: Ints, weight: Floats, shape: tuple[int, ...]) -> Floats:
    """Sum weights by index into a table of this shape."""
    size = int(np.prod(shape))
    return np.asarray(np.bincount(index, weight, minlength=size), np.float64).reshape(shape)


def _classes(fine: Floats, count: Floats, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Return the class of each code of each unit, by the unit's pooled distribution."""
    pooled = (fine * count[:, None]).reshape(shape[0], -1, BINS).sum(1)
    below = np.cumsum(pooled, 1) - pooled / 2
    below /= np.maximum(pooled.sum(1, keepdims=True), 1e-300)
    return np.asarray(np.searchsorted(_EDGES, below.ravel()).reshape(below.shape), np.uint8)


def tally(frame: Frame, codes: npt.NDArray[np.uint16], is_balanced: bool = True) -> Tally:
    """Tally one KPI.

    Parameters
    ----------
    frame
        Rows in groups.
    codes
        The KPI's code of each row, in the rows' own order.
    is_balanced
        Whether each place of a group weighs the same.
    """
    groups = int(np.prod(frame.shape))
    codes = codes[frame.order]
    valid = np.flatnonzero(codes != MISSING)
    code = codes[valid].astype(np.int64)
    group = frame.group[valid]
    weight = weigh(frame, valid, is_balanced)
    count = np.bincount(group, minlength=groups).astype(np.float64)
    fine = _sums(group * BINS + code, weight, (groups, BINS))
    classes = _classes(fine, count, frame.shape)
    kind = classes[group // (frame.shape[1] * frame.shape[2]), code]

    def split(number: Ints) -> Floats:
        index = (group * SPLITS + number[valid]) * CLASSES + kind
        return _sums(index, weight, (groups, SPLITS, CLASSES))

    square = weight * weight
    squares = _sums(group * CLASSES + kind, square, (groups, CLASSES))
    return Tally(count, squares.sum(1), fine, classes, split(frame.device_split), split(frame.place_split), squares)


def mix(values: Floats, count: Floats, shape: tuple[int, int, int], power: int = 1) -> Floats:
    """Add to each unit the mixes over operators and technologies, each weighing as much as it has rows.

    Parameters
    ----------
    values
        Shape (G, …), G = units x operators x technologies.
    count
        Rows of each group, shape (G,).
    shape
        Numbers of units, operators, technologies.
    power
        2 for squared weights.

    Returns
    -------
    Shape (units x (operators + 1) x (technologies + 1), …); the last operator and technology are the mixes.
    """
    units, operators, technologies = shape
    rest = values.shape[1:]
    n = count.reshape(shape)
    result = np.zeros((units, operators + 1, technologies + 1, *rest))
    result[:, :operators, :technologies] = values.reshape(*shape, *rest)

    def over(axis: int, of: Floats, number: Floats) -> Floats:
        whole = number.sum(axis, keepdims=True)
        share = np.divide(number, whole, out=np.zeros_like(number), where=whole > 0) ** power
        return np.asarray((of * share.reshape(*share.shape, *(1,) * len(rest))).sum(axis))

    result[:, operators, :technologies] = over(1, result[:, :operators, :technologies], n)
    result[:, :operators, technologies] = over(2, result[:, :operators, :technologies], n)
    result[:, operators, technologies] = over(1, result[:, operators, :technologies], n.sum(1))
    return result.reshape(-1, *rest)


def mix_count(count: Any, shape: tuple[int, int, int]) -> Floats:
    """Add to each unit the sums over operators and technologies."""
    n = np.asarray(count, np.float64).reshape(shape)
    n = np.concatenate((n, n.sum(1, keepdims=True)), 1)
    return np.concatenate((n, n.sum(2, keepdims=True)), 2).ravel()
