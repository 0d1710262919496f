"""Ordinary kriging in local neighbourhoods, many small systems at once, with outliers held back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.coverage.blocks import BLOCK_M
from analysis.coverage.neighbours import FEW, MANY, NOISY, Neighbours, around
from analysis.coverage.variogram import Model

Floats = npt.NDArray[np.float64]

CHUNK = 4096
"""Targets solved at once: 4096 systems of 19 unknowns are 12 MB."""
OUTLIER = 2.0
"""A neighbour farther than this many deviations from what the others say of it is pulled in to there."""

TRUST = 10.0
"""The variogram's variance counts as much as this many neighbours do (a conjugate prior; evidence D)."""


class Estimate(NamedTuple):
    """Mean and standard deviation of what a block at each target would measure, and deviation of the mean itself."""

    mean: Floats
    sigma: Floats
    error: Floats


def _systems(points: Floats, targets: Floats, near: Neighbours, model: Model) -> tuple[Floats, Floats]:
    """Return the inverse kriging matrices (n, k + 1, k + 1) and right sides (n, k + 1)."""
    place = points[near.place]
    count = place.shape[1]
    matrix = np.ones((len(place), count + 1, count + 1))
    matrix[:, :count, :count] = model.covariance(model.distance(place[:, :, None] - place[:, None]))
    diagonal = np.arange(count)
    matrix[:, diagonal, diagonal] += model.nugget
    matrix[:, count, count] = 0
    right = np.ones((len(place), count + 1))
    right[:, :count] = model.covariance(model.distance(place - targets[:, None]))
    return np.linalg.inv(matrix), right


def _hold_back(values: Floats, inverse: Floats, distance_m: Floats) -> tuple[Floats, Floats]:
    """Pull outliers in to `OUTLIER` deviations from their leave-one-out kriging (Dubrule 1983).

    The neighbours of one target judge one another, so nothing that a validation holds out can leak in. Returned with
    the values is how much more than the model says the neighbours differ from one another, as a factor of variance:
    cities are rougher than their outskirts, and one variogram is the mean of both.
    """
    count = values.shape[1]
    diagonal = np.einsum("nii->ni", inverse)[:, :count]
    limit = OUTLIER / np.sqrt(diagonal)
    held = values
    for _ in range(2):
        expected = held - np.matmul(inverse[:, :count, :count], held[..., None])[..., 0] / diagonal
        held = expected + np.clip(values - expected, -limit, limit)
    nearness = 1 / (distance_m + BLOCK_M)  # so that a far neighbour that comes or goes leaves no seam
    misfit = count * np.average((held - expected) ** 2 * diagonal, axis=1, weights=nearness)
    return held, (TRUST + misfit) / (TRUST + count)


def krige(points: Floats, values: Floats, targets: Floats, near: Neighbours, model: Model) -> Estimate:
    """Estimate each target from some of its nearest points, taken from all around.

    Parameters
    ----------
    points
        Positions of the blocks in metres, shape (n, 2).
    values
        Their values, shape (n,).
    targets
        Positions to estimate in metres, shape (m, 2).
    near
        Nearest points of each target.
    model
        Variogram.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [200.0, 0.0], [0.0, 200.0]])
    >>> near = Neighbours(np.array([[0, 1, 2]]), np.array([[0.0, 200.0, 200.0]]))
    >>> model = Model('exponential', 1e-9, 100.0, 500.0)
    >>> estimate = krige(points, np.array([-80.0, -90.0, -90.0]), points[:1], near, model)
    >>> estimate.mean.round(3).tolist(), estimate.sigma.round(3).tolist()
    ([-80.0], [0.0])
    """
    mean, variance, noise = np.empty((3, len(near.place)))
    wanted = MANY if model.noise_share > NOISY else FEW
    for start in range(0, len(mean), CHUNK):
        part = Neighbours(near.place[start : start + CHUNK], near.distance_m[start : start + CHUNK])
        part = around(points, targets[start : start + CHUNK], part, wanted)
        inverse, right = _systems(points, targets[start : start + CHUNK], part, model)
        weight = np.matmul(inverse, right[..., None])[..., 0]
        count = part.place.shape[1]
        held, unrest = values[part.place], np.ones(len(weight))
        if count > 3:
            held, unrest = _hold_back(held, inverse, part.distance_m)
        mean[start : start + CHUNK] = (weight[:, :count] * held).sum(1)
        variance[start : start + CHUNK] = (model.sill + model.nugget - (weight * right).sum(1)) * unrest
        noise[start : start + CHUNK] = model.nugget * unrest
    return Estimate(mean, np.sqrt(np.maximum(variance, 0)), np.sqrt(np.maximum(variance - noise, 0)))
