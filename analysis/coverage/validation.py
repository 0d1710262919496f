"""How wrong a surface is where nothing was measured: by distance, by square and by site; and its own intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.coverage.blocks import Blocks
from analysis.coverage.kriging import krige
from analysis.coverage.neighbours import NEIGHBOURS, Neighbours, beyond
from analysis.coverage.trend import Trend
from analysis.coverage.variogram import Model

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HELD_OUT_M = 200.0
"""Everything within this of a validated block is left out: a random hold-out flatters (5.0 dB for 7.8 dB)."""
SQUARE_M = 500.0
TARGETS = 1500
"""Blocks validated at most."""
FOLDS = 5
MIXED = 3
"""The mean of the best three candidates errs less than the one that came out best by luck."""
_FOLD_M = 1000.0
_NORMAL_95 = 1.959964


class Candidate(NamedTuple):
    """A trend with a variogram of what it leaves."""

    trend: Trend
    model: Model


class Report(NamedTuple):
    """Errors in the unit of the surface over the validated blocks.

    `coverage` is the share of blocks inside their own 95 % interval; `idw_rmse` is inverse distance weighting
    (power 2, 12 neighbours) on the same blocks with the same things held out.
    """

    scheme: str
    blocks_count: int
    rmse: float
    bias: float
    coverage: float
    idw_rmse: float


class Choice(NamedTuple):
    """The candidates that erred least, the factor that makes its intervals honest, and the reports."""

    candidates: list[Candidate]
    factor: float
    reports: list[Report]


def inverse_distance(values: Floats, near: Neighbours, power: float = 2.0, count: int = 12) -> Floats:
    """Return the mean weighted by inverse distance.

    Examples
    --------
    >>> near = Neighbours(np.array([[0, 1]]), np.array([[100.0, 200.0]]))
    >>> inverse_distance(np.array([0.0, 10.0]), near).tolist()
    [2.0]
    """
    weight = 1 / np.maximum(near.distance_m[:, :count], 1e-9) ** power
    return np.asarray((weight * values[near.place[:, :count]]).sum(1) / weight.sum(1))


def _errors(blocks: Blocks, candidate: Candidate, near: Neighbours, own: Ints) -> tuple[Floats, Floats]:
    """Return error and sigma of each validated block."""
    rest = blocks.values - candidate.trend.at(blocks.points)
    estimate = krige(blocks.points, rest, near, candidate.model)
    return rest[own] - estimate.mean, estimate.sigma


def _factor(error: Floats, sigma: Floats) -> float:
    """Return what widens sigma until 95 % of the errors lie within."""
    if len(error) < 20:
        return 1.0
    return float(np.clip(np.quantile(np.abs(error) / sigma, 0.95) / _NORMAL_95, 0.5, 3.0))


def _best(tried: Sequence[tuple[Floats, Floats]]) -> list[int]:
    """Return the numbers of the candidates that erred least, best first."""
    return sorted(range(len(tried)), key=lambda index: float(np.mean(tried[index][0] ** 2)))[:MIXED]


def _mix(tried: Sequence[tuple[Floats, Floats]], places: Sequence[int]) -> tuple[Floats, Floats]:
    """Return error and sigma of the mean of some candidates."""
    return (
        np.asarray(np.mean([tried[place][0] for place in places], axis=0)),
        np.asarray(np.mean([tried[place][1] for place in places], axis=0)),
    )


def _report(scheme: str, error: Floats, sigma: Floats, idw_error: Floats) -> Report:
    return Report(
        scheme,
        len(error),
        float(np.sqrt(np.mean(error**2))),
        float(-np.mean(error)),
        float(np.mean(np.abs(error) <= _NORMAL_95 * sigma)),
        float(np.sqrt(np.mean(idw_error**2))),
    )


def _squares(points: Floats, size_m: float) -> Ints:
    square = np.floor(points / size_m).astype(np.int64)
    _, number = np.unique(square, axis=0, return_inverse=True)
    return np.asarray(number.ravel(), np.int64)


def _drawn(count: int, rng: np.random.Generator) -> Ints:
    return np.sort(rng.choice(count, TARGETS, replace=False)) if count > TARGETS else np.arange(count)


def choose(blocks: Blocks, candidates: Sequence[Candidate], rng: np.random.Generator) -> Choice:
    """Choose among candidates by held-out error, and report it without flattery.

    The report of each fold of kilometre squares uses the candidate and the interval factor that the other folds
    chose, so choosing is validated too.

    Parameters
    ----------
    blocks
        Averaged samples.
    candidates
        At least one.
    rng
        Draws the blocks to validate where there are many.
    """
    drawn = _drawn(len(blocks.values), rng)
    near, kept = beyond(blocks.points, blocks.points[drawn], HELD_OUT_M, NEIGHBOURS)
    own = drawn[kept]
    if len(own) < 2 * FOLDS:
        return Choice(list(candidates[:1]), 1.0, [])
    tried = [_errors(blocks, candidate, near, own) for candidate in candidates]
    fold = (
        rng.permutation(int(_squares(blocks.points, _FOLD_M).max()) + 1)[_squares(blocks.points, _FOLD_M)[own]] % FOLDS
    )
    error, sigma = np.empty(len(own)), np.empty(len(own))
    for part in range(FOLDS):
        inside, rest = fold == part, fold != part
        if not rest.any():
            rest = inside
        mixed = _mix(tried, _best([(e[rest], s[rest]) for e, s in tried]))
        error[inside] = mixed[0][inside]
        sigma[inside] = mixed[1][inside] * _factor(mixed[0][rest], mixed[1][rest])
    places = _best(tried)
    factor = _factor(*_mix(tried, places))
    idw = blocks.values[own] - inverse_distance(blocks.values, near)
    reports = [_report(f"held out {HELD_OUT_M:.0f} m", error, sigma, idw)]
    for scheme, groups in (("squares 500 m", _squares(blocks.points, SQUARE_M)), ("one site out", blocks.site)):
        found = _by_group(blocks, [candidates[place] for place in places], factor, scheme, groups, drawn)
        reports += [found] if found else []
    return Choice([candidates[place] for place in places], factor, reports)


def _by_group(
    blocks: Blocks, candidates: Sequence[Candidate], factor: float, scheme: str, groups: Ints, drawn: Ints
) -> Report | None:
    """Validate each block without its own group; blocks of no group (-1) are not validated."""
    drawn = drawn[groups[drawn] >= 0]
    if len(drawn) < 20 or len(np.unique(groups)) < 3:
        return None
    near, kept = beyond(blocks.points, blocks.points[drawn], 1e-6, NEIGHBOURS, groups, groups[drawn])
    if len(kept) < 20:
        return None
    own = drawn[kept]
    tried = [_errors(blocks, candidate, near, own) for candidate in candidates]
    error, sigma = _mix(tried, range(len(tried)))
    idw = blocks.values[own] - inverse_distance(blocks.values, near)
    return _report(scheme, error, sigma * factor, idw)
