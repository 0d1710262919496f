"""What distance to the nearest base station explains, before kriging takes the rest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]

NEAREST_M = 50.0
"""Within this the antenna's pattern, not distance, decides."""


class Trend(NamedTuple):
    """level + slope · log10(distance / 1 km); a slope of zero is no trend."""

    level: float
    slope: float
    stations: Floats

    def at(self, points: Floats) -> Floats:
        """Return the trend at points in metres, shape (n, 2)."""
        if not self.slope or not len(self.stations):
            return np.full(len(points), self.level)
        return np.asarray(self.level + self.slope * log_distance(self.stations, points))


def log_distance(stations: Floats, points: Floats) -> Floats:
    """Return log10 of the distance in km to the nearest station."""
    distance, _ = cKDTree(stations).query(points)
    return np.asarray(np.log10(np.maximum(distance, NEAREST_M) / 1000))


def flat(values: Floats) -> Trend:
    """Return the median as the trend."""
    return Trend(float(np.median(values)), 0.0, np.zeros((0, 2)))


def log_distance_trend(stations: Floats, points: Floats, values: Floats, falls: bool = True) -> Trend | None:
    """Fit the trend by Huber's regression; None where it explains nothing or rises the wrong way.

    Parameters
    ----------
    stations
        Positions of base stations in metres, shape (s, 2).
    points, values
        Blocks.
    falls
        Whether the value should fall with distance.

    Examples
    --------
    >>> points = np.array([[d, 0.0] for d in (100, 200, 400, 800, 1600)])
    >>> trend = log_distance_trend(np.zeros((1, 2)), points, -100 - 35 * np.log10(points[:, 0] / 1000))
    >>> round(trend.level), round(trend.slope)
    (-100, -35)
    """
    if len(stations) == 0 or len(values) < 5:
        return None
    x = log_distance(stations, points)
    if np.ptp(x) < 0.1:
        return None
    design = np.stack((np.ones(len(x)), x), -1)
    weight = np.ones(len(x))
    found: Floats = np.zeros(2)
    for _ in range(10):
        root = np.sqrt(weight)[:, None]
        found = np.asarray(np.linalg.lstsq(design * root, values * root[:, 0], rcond=None)[0], np.float64)
        residual = np.abs(values - design @ found)
        scale = 1.345 * 1.4826 * max(float(np.median(residual)), 1e-9)
        weight = np.minimum(1, scale / np.maximum(residual, 1e-12))
    if falls and found[1] >= 0:
        return None
    return Trend(float(found[0]), float(found[1]), stations)
