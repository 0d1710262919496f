"""Ordinary kriging in local neighbourhoods, many small systems at once, with outliers held back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.coverage.neighbours import Neighbours
from analysis.coverage.variogram import Model

Floats = npt.NDArray[np.float64]

CHUNK = 4096
"""Targets solved at once: 4096 systems of 17 unknowns are 10 MB."""
OUTLIER = 2.0
"""A neighbour farther than this many deviations from what the others say of it is pulled in to there."""


class Estimate(NamedTuple):
    """Mean and standard deviation of what a block at each target would measure, and deviation of the mean itself."""

    mean: Floats
    sigma: Floats
    error: Floats


def _systems(points: Floats, near: Neighbours, model: Model) -> tuple[Floats, Floats]:
    """Return the inverse kriging matrices (n, k + 1, k + 1) and right sides (n, k + 1)."""
    place = points[near.place]
    count = place.shape[1]
    gap = place[:, :, None] - place[:, None]
    matrix = np.ones((len(place), count + 1, count + 1))
    matrix[:, :count, :count] = model.covariance(np.sqrt(gap[..., 0] ** 2 + gap[..., 1] ** 2))
    diagonal = np.arange(count)
    matrix[:, diagonal, diagonal] += model.nugget
    matrix[:, count, count] = 0
    right = np.ones((len(place), count + 1))
    right[:, :count] = model.covariance(near.distance_m)
    return np.linalg.inv(matrix), right


def _hold_back(values: Floats, inverse: Floats) -> Floats:
    """Pull outliers in to `OUTLIER` deviations from their leave-one-out kriging (Dubrule 1983).

    The neighbours of one target judge one another, so nothing that a validation holds out can leak in.
    """
    count = values.shape[1]
    diagonal = np.einsum("nii->ni", inverse)[:, :count]
    limit = OUTLIER / np.sqrt(diagonal)
    held = values
    for _ in range(2):
        expected = held - np.matmul(inverse[:, :count, :count], held[..., None])[..., 0] / diagonal
        held = expected + np.clip(values - expected, -limit, limit)
    return held


def krige(points: Floats, values: Floats, near: Neighbours, model: Model) -> Estimate:
    """Estimate each target from its neighbours.

    Parameters
    ----------
    points
        Positions of the blocks in metres, shape (n, 2).
    values
        Their values, shape (n,).
    near
        Neighbours of each target.
    model
        Variogram.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [200.0, 0.0], [0.0, 200.0]])
    >>> near = Neighbours(np.array([[0, 1, 2]]), np.array([[0.0, 200.0, 200.0]]))
    >>> model = Model('exponential', 1e-9, 100.0, 500.0)
    >>> estimate = krige(points, np.array([-80.0, -90.0, -90.0]), near, model)
    >>> estimate.mean.round(3).tolist(), estimate.sigma.round(3).tolist()
    ([-80.0], [0.0])
    """
    mean, variance = np.empty(len(near.place)), np.empty(len(near.place))
    for start in range(0, len(mean), CHUNK):
        part = Neighbours(near.place[start : start + CHUNK], near.distance_m[start : start + CHUNK])
        inverse, right = _systems(points, part, model)
        weight = np.matmul(inverse, right[..., None])[..., 0]
        count = part.place.shape[1]
        held = _hold_back(values[part.place], inverse) if count > 3 else values[part.place]
        mean[start : start + CHUNK] = (weight[:, :count] * held).sum(1)
        variance[start : start + CHUNK] = model.sill + model.nugget - (weight * right).sum(1)
    variance = np.maximum(variance, 0)
    return Estimate(mean, np.sqrt(variance), np.sqrt(np.maximum(variance - model.nugget, 0)))
