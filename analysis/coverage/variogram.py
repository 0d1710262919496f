"""How alike two places are by their distance: robust empirical variograms and the families fitted to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

Floats = npt.NDArray[np.float64]

PAIRS_POINTS = 2000
"""Points of which every pair is counted; more change the variogram by less than its own noise."""
PRIOR_RANGE_M = 500.0
PRIOR_NUGGET = 0.15
FEW_POINTS = 30
"""Below this many points the range is not estimated: shadowing in cities decorrelates over some hundred metres."""


def _exponential(x: Floats) -> Floats:
    return np.asarray(np.exp(-x))


def _matern(x: Floats) -> Floats:
    y = np.sqrt(3.0) * x
    return np.asarray((1 + y) * np.exp(-y))


FAMILIES: dict[str, Callable[[Floats], Floats]] = {"exponential": _exponential, "matern-3/2": _matern}
"""Correlation by distance over range (Chilès and Delfiner 2012, 2.5.1): rough fields, and smooth ones with a nugget."""


class Model(NamedTuple):
    """A fitted variogram. `nugget` and `sill` are variances; their sum is that of a far pair.

    `ratio` is how much farther values stay alike along `bearing_deg` than across it (geometric anisotropy); `range_m`
    is the geometric mean of both ranges.
    """

    family: str
    nugget: float
    sill: float
    range_m: float
    ratio: float = 1.0
    bearing_deg: float = 0.0

    @property
    def noise_share(self) -> float:
        """Share of the variance that differs from block to block."""
        return self.nugget / (self.nugget + self.sill)

    def distance(self, gap: Floats) -> Floats:
        """Return the lengths of gaps in metres, shape (..., 2), shorter along the bearing and longer across it.

        Examples
        --------
        >>> Model('exponential', 1.0, 9.0, 500.0, 4.0, 90.0).distance(np.array([[100.0, 0.0], [0.0, 100.0]])).tolist()
        [50.0, 200.0]
        """
        if self.ratio == 1:
            return np.asarray(np.sqrt(gap[..., 0] ** 2 + gap[..., 1] ** 2))
        east, north = np.sin(np.radians(self.bearing_deg)), np.cos(np.radians(self.bearing_deg))
        along, across = gap[..., 0] * east + gap[..., 1] * north, gap[..., 0] * north - gap[..., 1] * east
        return np.asarray(np.sqrt(along**2 / self.ratio + across**2 * self.ratio))

    def covariance(self, distance_m: Floats) -> Floats:
        """Return the covariance of the smooth part at some distances.

        Examples
        --------
        >>> Model('exponential', 1.0, 100.0, 500.0).covariance(np.array([0.0, 500.0])).round(1).tolist()
        [100.0, 36.8]
        """
        return self.sill * FAMILIES[self.family](distance_m / self.range_m)


class Empirical(NamedTuple):
    """Semivariance by distance class, with the number of pairs."""

    distance_m: Floats
    semivariance: Floats
    pairs_count: Floats


def thinned(points: Floats, values: Floats, most: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return at most so many of the points, shape (n, 2), with their values, shape (n,): pairs grow with the square."""
    if len(values) <= most:
        return points, values
    drawn = rng.choice(len(values), most, replace=False)
    return points[drawn], values[drawn]


def empirical(points: Floats, values: Floats, rng: np.random.Generator, classes: int = 24) -> Empirical:
    """Return the robust variogram of Cressie and Hawkins (1980), which outliers move little.

    Parameters
    ----------
    points
        Positions in metres, shape (n, 2).
    values
        Values, shape (n,).
    rng
        Draws the points where there are too many.
    classes
        Number of distance classes, finer near zero.
    """
    points, values = thinned(points, values, PAIRS_POINTS, rng)
    first, second = np.triu_indices(len(values), 1)
    distance = np.hypot(*(points[first] - points[second]).T)
    reach = min(4000.0, float(distance.max(initial=1.0)) / 2)
    root = np.sqrt(np.abs(values[first] - values[second]))
    edges = reach * np.linspace(0, 1, classes + 1) ** 1.5
    kind = np.digitize(distance, edges) - 1
    near = kind < classes
    count = np.bincount(kind[near], minlength=classes).astype(float)
    held = count >= 10
    mean = np.bincount(kind[near], distance[near], minlength=classes)[held] / count[held]
    fourth = (np.bincount(kind[near], root[near], minlength=classes)[held] / count[held]) ** 4
    return Empirical(mean, fourth / (0.457 + 0.494 / count[held]) / 2, count[held])


def fit(family: str, points: Floats, values: Floats, seen: Empirical) -> Model:
    """Fit one family by weighted least squares (Cressie 1985), held near a prior where there is little to see."""
    variance = max(float(np.var(values)), 1e-6)
    if len(values) < FEW_POINTS or len(seen.distance_m) < 5:
        return Model(family, PRIOR_NUGGET * variance, (1 - PRIOR_NUGGET) * variance, PRIOR_RANGE_M)
    shape = FAMILIES[family]
    weight = np.sqrt(seen.pairs_count / seen.pairs_count.max())

    def misfit(logs: Floats) -> Floats:
        nugget, sill, reach = np.exp(logs)
        curve = nugget + sill * (1 - shape(seen.distance_m / reach))
        prior = (logs[2] - np.log(PRIOR_RANGE_M)) / 2  # a factor of seven either way is one standard deviation
        return np.append((np.log(np.maximum(seen.semivariance, 1e-9 * variance)) - np.log(curve)) * weight * 3, prior)

    start = np.log([0.1 * variance, variance, PRIOR_RANGE_M])
    low, high = np.log([1e-3 * variance, 0.05 * variance, 50.0]), np.log([2 * variance, 10 * variance, 20_000.0])
    found = np.exp(least_squares(misfit, np.clip(start, low, high), bounds=(low, high)).x)
    return Model(family, float(found[0]), float(found[1]), float(found[2]))
