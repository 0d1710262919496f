"""A surface through the blocks of one operator, technology and KPI: fitted, validated, asked anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from analysis.coverage.blocks import Blocks
from analysis.coverage.kriging import krige
from analysis.coverage.neighbours import nearest
from analysis.coverage.trend import Trend, flat, log_distance_trend
from analysis.coverage.validation import Candidate, Report, choose
from analysis.coverage.variogram import FAMILIES, Model, empirical, fit

Floats = npt.NDArray[np.float64]

FEWEST_BLOCKS = 5
"""Fewer places than this make no surface."""
FEWEST_FOR_TREND = 50
"""A trend from distance to stations needs this many blocks to be worth its two parameters."""
_VARIANTS = ((1.0, 1.0), (0.6, 1.0), (1.6, 1.0), (1.0, 3.0), (0.6, 3.0))
"""Factors of range and nugget tried around the fit, which the far pairs dominate."""


class Prediction(NamedTuple):
    """What the surface says at some places, in the unit of its values.

    `sigma` is the deviation of a block measured there, `error` that of the surface itself, without the spread of
    measurements at one place; `nearest_m` is the distance to the nearest block.
    """

    mean: Floats
    sigma: Floats
    error: Floats
    nearest_m: Floats


class Surface(NamedTuple):
    """Blocks with the candidates whose mean is taken, the factor of the intervals, and how it was validated."""

    blocks: Blocks
    candidates: list[Candidate]
    factor: float
    reports: list[Report]

    def predict(self, targets: Floats) -> Prediction:
        """Say what a block at each target would measure.

        Parameters
        ----------
        targets
            Positions in metres, shape (m, 2).
        """
        near = nearest(self.blocks.points, targets)
        mean, sigma, error = np.zeros((3, len(targets)))
        for trend, model in self.candidates:
            rest = self.blocks.values - trend.at(self.blocks.points)
            estimate = krige(self.blocks.points, rest, near, model)
            mean += (estimate.mean + trend.at(targets)) / len(self.candidates)
            sigma += estimate.sigma * self.factor / len(self.candidates)
            error += estimate.error * self.factor / len(self.candidates)
        return Prediction(mean, sigma, error, near.distance_m[:, 0])

    @property
    def trend(self) -> Trend:
        """The trend of the best candidate."""
        return self.candidates[0].trend

    @property
    def model(self) -> Model:
        """The variogram of the best candidate."""
        return self.candidates[0].model


def probability_above(prediction: Prediction, threshold: float) -> Floats:
    """Return P(value >= threshold) = Phi((mean - threshold) / sigma).

    Examples
    --------
    >>> one = Prediction(np.array([-100.0]), np.array([5.0]), np.array([2.0]), np.array([0.0]))
    >>> probability_above(one, -100.0).tolist()
    [0.5]
    """
    return np.asarray(ndtr((prediction.mean - threshold) / np.maximum(prediction.sigma, 1e-9)))


def _candidates(blocks: Blocks, stations: Floats, falls: bool, rng: np.random.Generator) -> list[Candidate]:
    trends = [flat(blocks.values)]
    if len(blocks.values) >= FEWEST_FOR_TREND:
        sloped = log_distance_trend(stations, blocks.points, blocks.values, falls)
        trends += [sloped] if sloped else []
    found = []
    for trend in trends:
        rest = blocks.values - trend.at(blocks.points)
        seen = empirical(blocks.points, rest, rng)
        for family in FAMILIES:
            model = fit(family, blocks.points, rest, seen)
            found += [
                Candidate(trend, model._replace(range_m=model.range_m * reach, nugget=model.nugget * noise))
                for reach, noise in _VARIANTS
            ]
    return found


def fit_surface(blocks: Blocks, stations: Floats, rng: np.random.Generator, *, falls: bool = True) -> Surface | None:
    """Fit a surface; None below `FEWEST_BLOCKS`.

    Parameters
    ----------
    blocks
        Averaged samples.
    stations
        Positions of base stations in metres, shape (s, 2); empty where none is known. They are used only where they
        lower the held-out error, so a registry with wrong places does no harm.
    rng
        Draws points for the variogram and blocks for the validation.
    falls
        Whether the value should fall with the distance to a station.

    Examples
    --------
    >>> x = np.arange(40) * 50.0
    >>> points = np.stack((x, np.zeros(40)), -1)
    >>> blocks = Blocks(points, -90 - x / 100, np.ones(40, int), np.full(40, -1))
    >>> surface = fit_surface(blocks, np.zeros((0, 2)), np.random.default_rng(1))
    >>> round(float(surface.predict(np.array([[1025.0, 0.0]])).mean[0]))
    -100
    """
    if len(blocks.values) < FEWEST_BLOCKS:
        return None
    choice = choose(blocks, _candidates(blocks, stations, falls, rng), rng)
    return Surface(blocks, choice.candidates, choice.factor, choice.reports)
