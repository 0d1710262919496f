"""Samples averaged over small squares, so that a drive that stood at a light counts as one place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCK_M = 50.0
"""Side of a block: about the correlation distance of street-level shadowing (3GPP TR 38.901, 7.4.4: 37-50 m)."""


class Blocks(NamedTuple):
    """Averaged samples as columns of equal length.

    `points` are the mean positions of the samples in metres, shape (n, 2); `site` is the number of the base station
    that served most of a block's samples, -1 where none is known.
    """

    points: Floats
    values: Floats
    counts: Ints
    site: Ints


def _number(*columns: npt.NDArray[Any]) -> tuple[Ints, int]:
    """Number the distinct rows of some integer columns."""
    key = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, index = np.unique(column, return_inverse=True)
        key = key * (int(index.max(initial=0)) + 1) + index.ravel()
    kinds, number = np.unique(key, return_inverse=True)
    return number.ravel().astype(np.int64), len(kinds)


def _most(block: Ints, site: Ints, count: int) -> Ints:
    """Return the commonest site of each block."""
    pairs, size = np.unique(np.stack((block, site)), axis=1, return_counts=True)
    order = np.lexsort((size, pairs[0]))
    result = np.full(count, -1, np.int64)
    result[pairs[0][order]] = pairs[1][order]  # the last of a block has the most
    return result


def average(points: Floats, values: Floats, device: Ints, site: Ints, size_m: float = BLOCK_M) -> Blocks:
    """Average samples over squares; each device counts once in each.

    Parameters
    ----------
    points
        Positions in metres, shape (n, 2).
    values
        Value of each sample.
    device, site
        Number of the device and of the base station of each sample.
    size_m
        Side of the squares.

    Examples
    --------
    >>> points = np.array([[1.0, 1.0], [3.0, 1.0], [60.0, 1.0]])
    >>> blocks = average(points, np.array([-90.0, -80.0, -70.0]), np.array([0, 1, 1]), np.zeros(3, int))
    >>> blocks.values.tolist(), blocks.counts.tolist()
    ([-85.0, -70.0], [2, 1])
    """
    square = np.floor(points / size_m).astype(np.int64)
    block, blocks_count = _number(square[:, 0], square[:, 1])
    pair, pairs_count = _number(block, device)
    per_pair = np.bincount(pair, minlength=pairs_count)
    weight = 1.0 / per_pair[pair]
    total = np.bincount(block, weight, minlength=blocks_count)

    def mean(column: Floats) -> Floats:
        return np.asarray(np.bincount(block, weight * column, minlength=blocks_count) / total)

    middle = np.stack((mean(points[:, 0]), mean(points[:, 1])), -1)
    return Blocks(middle, mean(values), np.bincount(block, minlength=blocks_count), _most(block, site, blocks_count))
