"""Along which bearing values stay alike farther than across it: geometric anisotropy, fitted or given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.coverage.variogram import FEW_POINTS, Model, thinned
from measurement.errors import ConfigError

Floats = npt.NDArray[np.float64]

PAIRS_POINTS = 1200
REACH = 4.0
"""Pairs farther apart than this many ranges no longer tell directions apart."""
MOST = 10.0
"""A given ratio beyond this says that one line knows nothing of the next."""
RATIOS = np.array([1.2, 1.4, 1.6, 2.0, 2.5, 3.0])
BEARINGS_DEG = np.arange(0.0, 180.0, 10.0)
_CLASSES, _SECTORS, _FEWEST = 12, 12, 20


class Stretch(NamedTuple):
    """How many times farther values stay alike along a bearing (degrees from north) than across it; 1 is no stretch."""

    ratio: float
    bearing_deg: float


def parse(text: str) -> Stretch | None:
    """Read `fitted`, `none`, or RATIO@BEARING; `fitted` is None.

    Raises
    ------
    ConfigError
        Where it is none of them.

    Examples
    --------
    >>> parse("1.5@75"), parse("none"), parse("fitted")
    (Stretch(ratio=1.5, bearing_deg=75.0), Stretch(ratio=1.0, bearing_deg=0.0), None)
    """
    if text == "fitted":
        return None
    if text == "none":
        return Stretch(1.0, 0.0)
    wrong = ConfigError(f"--anisotropy: Invalid {text!r}. fitted, none, or RATIO@BEARING such as 1.5@75.")
    try:
        ratio, bearing = (float(part) for part in text.split("@"))
    except ValueError:
        raise wrong from None
    if not (1 <= ratio <= MOST and 0 <= bearing < 180):
        raise ConfigError(
            f"--anisotropy: Invalid {text!r}. A ratio from 1 to {MOST:g}, a bearing from 0 to under 180°."
        )
    return Stretch(ratio, bearing)


class Rose(NamedTuple):
    """Robust semivariance by distance and direction: mean gap in metres (n, 2), semivariance, weight."""

    gap: Floats
    semivariance: Floats
    weight: Floats


def rose(points: Floats, values: Floats, reach_m: float, rng: np.random.Generator) -> Rose:
    """Return the directional variogram of Cressie and Hawkins (1980) up to some distance.

    Parameters
    ----------
    points
        Positions in metres, shape (n, 2).
    values
        Values, shape (n,).
    reach_m
        Longest gap.
    rng
        Draws the points where there are too many.
    """
    points, values = thinned(points, values, PAIRS_POINTS, rng)
    first, second = np.triu_indices(len(values), 1)
    gap = points[first] - points[second]
    gap *= np.where(gap[:, 1] < 0, -1.0, 1.0)[:, None]  # a pair has no order: its gap goes north
    length = np.hypot(gap[:, 0], gap[:, 1])
    near = (length < reach_m) & (length > 0)
    gap, length, root = gap[near], length[near], np.sqrt(np.abs(values[first] - values[second]))[near]
    sector = (np.arctan2(gap[:, 0], gap[:, 1]) / np.pi * _SECTORS).astype(np.int64) % _SECTORS
    kind = sector * _CLASSES + np.minimum(length / reach_m * _CLASSES, _CLASSES - 1).astype(np.int64)
    count = np.bincount(kind, minlength=_CLASSES * _SECTORS)
    held = count >= _FEWEST
    many = count[held].astype(float)

    def mean(column: Floats) -> Floats:
        return np.asarray(np.bincount(kind, column, minlength=len(count))[held] / many)

    middle = np.stack((mean(gap[:, 0]), mean(gap[:, 1])), -1)
    semivariance = mean(root) ** 4 / (0.457 + 0.494 / many) / 2
    return Rose(middle, semivariance, many / (middle**2).sum(1))


def _misfit(model: Model, seen: Rose) -> float:
    """Return the weighted variance of the logarithms' residuals: the level is free, the shape is not."""
    curve = model.nugget + model.sill - model.covariance(model.distance(seen.gap))
    residual = np.log(np.maximum(seen.semivariance, 1e-9 * model.sill)) - np.log(curve)
    return float(np.average((residual - np.average(residual, weights=seen.weight)) ** 2, weights=seen.weight))


def stretch_of(model: Model, points: Floats, values: Floats, rng: np.random.Generator) -> Stretch | None:
    """Fit the stretch that an isotropic model lacks; None where directions do not differ, or too little is seen.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> points = rng.uniform(0, 4000, (800, 2))
    >>> waves = 5 * np.sin(points[:, 0] / 300) + rng.normal(0, 1, 800)
    >>> stretch_of(Model('exponential', 1.0, 12.0, 300.0), points, waves, rng)
    Stretch(ratio=2.5, bearing_deg=0.0)
    """
    if len(values) < FEW_POINTS:
        return None
    seen = rose(points, values, REACH * model.range_m, rng)
    if len(seen.weight) < _CLASSES:
        return None
    tried = [Stretch(float(ratio), float(bearing)) for ratio in RATIOS for bearing in BEARINGS_DEG]
    misfits = [_misfit(model._replace(**one._asdict()), seen) for one in tried]
    best = int(np.argmin(misfits))
    return tried[best] if misfits[best] < _misfit(model, seen) else None
