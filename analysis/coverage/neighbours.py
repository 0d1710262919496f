"""The nearest points of each target, leaving out those that a validation holds out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEW, MANY = 12, 18
"""Near places screen farther ones, unless what is measured is mostly noise: then more of them are averaged."""
NOISY = 0.12
"""Share of the variance that is noise from which on more neighbours lower the error (docs/coverage.md; evidence D)."""
SECTORS = 6
"""Neighbours are taken from all around: the nearest ones alone lie along one street and say the same thing."""
POOL = 64
"""Nearest points among which the neighbours are chosen."""


class Neighbours(NamedTuple):
    """The nearest points of each target: place in the list, distance in metres; shape (n, k), nearest first."""

    place: Ints
    distance_m: Floats


def nearest(points: Floats, targets: Floats, count: int = POOL) -> Neighbours:
    """Return the nearest points of each target."""
    count = min(count, len(points))
    distance, index = cKDTree(points).query(targets, count, workers=-1)
    return Neighbours(index.reshape(len(targets), count), distance.reshape(len(targets), count))


def beyond(
    points: Floats,
    targets: Floats,
    radius_m: float,
    count: int = POOL,
    groups: Ints | None = None,
    own: Ints | None = None,
) -> tuple[Neighbours, Ints]:
    """Return the nearest points at or beyond a radius and outside a target's own group.

    Parameters
    ----------
    points, targets
        Positions in metres, shapes (n, 2) and (m, 2).
    radius_m
        Nothing nearer is used.
    count
        Neighbours wanted.
    groups, own
        Group of each point and of each target; points of a target's own group are left out.

    Returns
    -------
    Neighbours of the targets that have enough of them, and the numbers of these targets.
    """  # fmt: skip
    tree: Any = cKDTree(points)
    wanted = min(count, max(len(points) - 1, 1))
    index = np.zeros((len(targets), wanted), np.int64)
    distance = np.zeros((len(targets), wanted))
    open_, reach = np.arange(len(targets)), min(wanted + 48, len(points))
    done: list[Ints] = []
    while len(open_):
        d, j = (each.reshape(len(open_), reach) for each in tree.query(targets[open_], reach, workers=-1))
        allowed = d >= radius_m
        if groups is not None and own is not None:
            allowed &= groups[j] != own[open_][:, None]
        enough = allowed.sum(1) >= wanted
        order = np.argsort(~allowed[enough], 1, kind="stable")[:, :wanted]
        index[open_[enough]] = np.take_along_axis(j[enough], order, 1)
        distance[open_[enough]] = np.take_along_axis(d[enough], order, 1)
        done.append(open_[enough])
        if reach == len(points):
            break
        open_, reach = open_[~enough], min(reach * 3, len(points))
    kept = np.sort(np.concatenate(done)) if done else np.zeros(0, np.int64)
    return Neighbours(index[kept], distance[kept]), kept


def around(points: Floats, targets: Floats, near: Neighbours, count: int = FEW) -> Neighbours:
    """Choose among the nearest points some from every side (Isaaks and Srivastava 1989, ch. 14).

    Of each sector as many as its share, the nearest first; where a sector has fewer, the nearest of the rest.

    Parameters
    ----------
    points, targets
        Positions in metres, shapes (n, 2) and (m, 2).
    near
        The nearest points of each target, nearest first.
    count
        Neighbours wanted.

    Examples
    --------
    >>> points = np.array([[10.0, 0.0], [20.0, 0.0], [30.0, 0.0], [-40.0, 0.0]])
    >>> target = np.zeros((1, 2))
    >>> around(points, target, nearest(points, target), 2).place.tolist()
    [[0, 3]]
    """
    pool = near.place.shape[1]
    if pool <= count:
        return near
    gap = points[near.place] - targets[:, None]
    sector = ((np.arctan2(gap[..., 1], gap[..., 0]) / (2 * np.pi) + 0.5) * SECTORS).astype(np.int8) % SECTORS
    # Positions within a sector: a stable sort by sector keeps the nearest first.
    order = np.argsort(sector, 1, kind="stable")
    size = (sector[..., None] == np.arange(SECTORS, dtype=np.int8)).sum(1)
    begin = np.cumsum(size, 1) - size
    rank = np.arange(pool) - np.take_along_axis(begin, np.take_along_axis(sector, order, 1).astype(np.int64), 1)
    key = np.where(rank < -(-count // SECTORS), order, order + pool)
    chosen = np.sort(np.partition(key, count - 1, 1)[:, :count] % pool, 1)
    return Neighbours(np.take_along_axis(near.place, chosen, 1), np.take_along_axis(near.distance_m, chosen, 1))
