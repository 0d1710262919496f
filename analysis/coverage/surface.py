"""A surface through the blocks of one operator, technology and KPI: fitted, validated, asked anywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from analysis.coverage.blocks import Blocks
from analysis.coverage.direction import Stretch, stretch_of
from analysis.coverage.kriging import krige
from analysis.coverage.neighbours import nearest
from analysis.coverage.trend import Trend, flat, log_distance_trend
from analysis.coverage.validation import Candidate, HeldOut, Report, choose
from analysis.coverage.variogram import FAMILIES, Model, empirical, fit
from analysis.coverage.widening import Widening

Floats = npt.NDArray[np.float64]

FEWEST_BLOCKS = 5
"""Fewer places than this make no surface."""
FEWEST_FOR_TREND = 50
"""A trend from distance to stations needs this many blocks to be worth its two parameters."""
_VARIANTS = ((1.0, 1.0), (0.6, 1.0), (1.6, 1.0), (1.0, 3.0), (0.6, 3.0))
"""Factors of range and nugget tried around the fit, which the far pairs dominate."""
_STRETCHED = 3
"""Of a stretched variogram the first of them only: what they teach of the nugget the plain one has taught."""


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
    """Blocks with the candidates whose mean is taken, what widens the intervals, and how it was validated."""

    blocks: Blocks
    candidates: list[Candidate]
    widening: Widening
    reports: list[Report]
    held_out: HeldOut

    def predict(self, targets: Floats) -> Prediction:
        """Say what a block at each target would measure.

        Parameters
        ----------
        targets
            Positions in metres, shape (m, 2).
        """
        points = self.blocks.points
        near = nearest(points, targets)
        factor = self.widening.at(near.distance_m[:, 0]) / len(self.candidates)
        mean, sigma, error = np.zeros((3, len(targets)))
        for trend, model in self.candidates:
            estimate = krige(points, self.blocks.values - trend.at(points), targets, near, model)
            mean += (estimate.mean + trend.at(targets)) / len(self.candidates)
            sigma += estimate.sigma * factor
            error += estimate.error * factor
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


def _models(points: Floats, rest: Floats, given: Stretch | None, rng: np.random.Generator) -> list[Model]:
    """Return the variograms of each family: as fitted, and stretched where directions differ or a stretch is given."""
    seen = empirical(points, rest, rng)
    plain = [fit(family, points, rest, seen) for family in FAMILIES]
    if given is not None:
        return [model._replace(**given._asdict()) for model in plain]
    found = [stretch_of(model, points, rest, rng) for model in plain]
    return [
        *plain,
        *(model._replace(**one._asdict()) for model, one in zip(plain, found, strict=True) if one is not None),
    ]


def _candidates(
    blocks: Blocks, stations: Floats, falls: bool, given: Stretch | None, rng: np.random.Generator
) -> list[Candidate]:
    trends = [flat(blocks.values)]
    if len(blocks.values) >= FEWEST_FOR_TREND:
        sloped = log_distance_trend(stations, blocks.points, blocks.values, falls)
        trends += [sloped] if sloped else []
    return [
        Candidate(trend, model._replace(range_m=model.range_m * reach, nugget=model.nugget * noise))
        for trend in trends
        for model in _models(blocks.points, blocks.values - trend.at(blocks.points), given, rng)
        for reach, noise in (_VARIANTS if model.ratio == 1 or given is not None else _VARIANTS[:_STRETCHED])
    ]


def fit_surface(
    blocks: Blocks, stations: Floats, rng: np.random.Generator, *, falls: bool = True, stretch: Stretch | None = None
) -> Surface | None:
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
    stretch
        How much farther values stay alike along a bearing; by default one is fitted, and used where it lowers the
        held-out error.

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
    choice = choose(blocks, _candidates(blocks, stations, falls, stretch, rng), rng)
    return Surface(blocks, *choice)
