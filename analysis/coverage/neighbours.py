"""The nearest points of each target, leaving out those that a validation holds out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEIGHBOURS = 16
"""More neighbours do not lower the held-out error on real drive data; they screen one another (docs/coverage.md)."""


class Neighbours(NamedTuple):
    """The nearest points of each target: place in the list, distance in metres; shape (n, k), nearest first."""

    place: Ints
    distance_m: Floats


def nearest(points: Floats, targets: Floats, count: int = NEIGHBOURS) -> Neighbours:
    """Return the nearest points of each target."""
    count = min(count, len(points))
    distance, index = cKDTree(points).query(targets, count, workers=-1)
    return Neighbours(index.reshape(len(targets), count), distance.reshape(len(targets), count))


def beyond(
    points: Floats,
    targets: Floats,
    radius_m: float,
    count: int = NEIGHBOURS,
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
