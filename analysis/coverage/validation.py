"""How wrong a surface is where nothing was measured: by distance, by square and by site; and its own intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.coverage.blocks import Blocks
from analysis.coverage.kriging import krige
from analysis.coverage.neighbours import Neighbours, beyond
from analysis.coverage.trend import Trend
from analysis.coverage.variogram import Model
from analysis.coverage.widening import FEWEST, NORMAL_95, Misses, Widening, widening

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HELD_OUT_M = 200.0
"""Everything within this of a validated block is left out: a random hold-out flatters (5.0 dB for 7.8 dB)."""
SQUARE_M = 500.0
BY_DISTANCE = f"held out {HELD_OUT_M:.0f} m"
TARGETS = 1500
"""Blocks validated at most."""
FOLDS = 5
RADII_M = (0.0, HELD_OUT_M, 500.0)
"""What is left out around a block to learn how intervals widen with distance; candidates are chosen by the second."""
CHOOSING = 1
NO_FOLD = -1
MIXED = 2
"""The mean of the best two candidates is less of a gamble than the one that came out best."""
_FOLD_M = 1000.0


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


class HeldOut(NamedTuple):
    """Validated blocks as columns: number of the block, and its error with everything within `HELD_OUT_M` left out."""

    block: Ints
    error: Floats


class Choice(NamedTuple):
    """The candidates that erred least, what makes their intervals honest, the reports, and the errors of the first."""

    candidates: list[Candidate]
    widening: Widening
    reports: list[Report]
    held_out: HeldOut


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


class _Trial:
    """Blocks predicted from the rest with something held out, by whichever candidate is asked for."""

    def __init__(self, blocks: Blocks, candidates: Sequence[Candidate], near: Neighbours, own: Ints) -> None:
        self.own, self.distance_m = own, near.distance_m[:, 0]
        self._blocks, self._candidates = blocks, candidates
        self._near = near
        self._known: dict[int, tuple[Floats, Floats]] = {}
        self.idw = blocks.values[own] - inverse_distance(blocks.values, near)

    def errors(self, place: int) -> tuple[Floats, Floats]:
        """Return error and sigma of each block by one candidate."""
        if place not in self._known:
            points, (trend, model) = self._blocks.points, self._candidates[place]
            rest = self._blocks.values - trend.at(points)
            estimate = krige(points, rest, points[self.own], self._near, model)
            self._known[place] = rest[self.own] - estimate.mean, estimate.sigma
        return self._known[place]

    def mix(self, places: Sequence[int]) -> tuple[Floats, Floats]:
        """Return error and sigma of the mean of some candidates."""
        found = [self.errors(place) for place in places]
        return np.asarray(np.mean([e for e, _ in found], axis=0)), np.asarray(np.mean([s for _, s in found], axis=0))

    def best(self, places: Sequence[int], rows: Flags) -> list[int]:
        """Return the numbers of the candidates that erred least over some blocks, best first."""
        return sorted(places, key=lambda place: float(np.mean(self.errors(place)[0][rows] ** 2)))[:MIXED]

    def misses(self, places: Sequence[int], rows: Flags) -> Misses:
        """Return what some blocks tell of the intervals."""
        error, sigma = self.mix(places)
        return Misses(self.distance_m[rows], error[rows] / sigma[rows])


class _Rule(NamedTuple):
    """What some folds say: which candidates to use, and how wide to make the intervals."""

    places: list[int]
    widening: Widening


class _Trials(NamedTuple):
    """Everything that is held out: by distance (`RADII_M`), by site where sites are known; and each block's fold."""

    apart: list[_Trial]
    other_site: _Trial | None
    fold: Ints

    def rule(self, places: Sequence[int], without: int) -> _Rule:
        """Choose among some candidates by every fold but one; by all where there is no other."""
        main = self.apart[CHOOSING]
        if (self.fold[main.own] == without).all():
            without = NO_FOLD
        best = main.best(places, self.fold[main.own] != without)

        def misses(trial: _Trial) -> Misses:
            return trial.misses(best, self.fold[trial.own] != without)

        other = None if self.other_site is None else misses(self.other_site)
        return _Rule(best, widening([misses(trial) for trial in self.apart], other))

    def rules(self, places: Sequence[int]) -> list[_Rule]:
        """Return the rule for each fold, chosen by the others."""
        return [self.rule(places, part) for part in range(FOLDS)]


def _judged(trial: _Trial, fold: Ints, rules: Sequence[_Rule]) -> tuple[Floats, Floats]:
    """Return error and sigma of each block by the rule of the folds it is not in."""
    error, sigma = np.empty((2, len(trial.own)))
    for part, rule in enumerate(rules):
        rows = fold[trial.own] == part
        if rows.any():
            mixed = trial.mix(rule.places)
            error[rows] = mixed[0][rows]
            sigma[rows] = (mixed[1] * rule.widening.at(trial.distance_m))[rows]
    return error, sigma


def _report(scheme: str, trial: _Trial, fold: Ints, rules: Sequence[_Rule]) -> Report:
    error, sigma = _judged(trial, fold, rules)
    return Report(
        scheme,
        len(error),
        float(np.sqrt(np.mean(error**2))),
        float(-np.mean(error)),
        float(np.mean(np.abs(error) <= NORMAL_95 * sigma)),
        float(np.sqrt(np.mean(trial.idw**2))),
    )


def _squares(points: Floats, size_m: float) -> Ints:
    square = np.floor(points / size_m).astype(np.int64)
    _, number = np.unique(square, axis=0, return_inverse=True)
    return np.asarray(number.ravel(), np.int64)


def _drawn(count: int, rng: np.random.Generator) -> Ints:
    return np.sort(rng.choice(count, TARGETS, replace=False)) if count > TARGETS else np.arange(count)


def choose(blocks: Blocks, candidates: Sequence[Candidate], rng: np.random.Generator) -> Choice:
    """Choose among candidates by held-out error, and report it without flattery.

    The report of each fold of kilometre squares uses the candidates and the widening of the intervals that the other
    folds chose, so choosing is validated too.

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
    apart = [_apart(blocks, candidates, drawn, radius) for radius in RADII_M]
    held = [trial for trial in apart if trial is not None]
    if len(held) <= CHOOSING or len(held[CHOOSING].own) < 2 * FOLDS:
        return Choice(list(candidates[:1]), Widening(), [], HeldOut(np.zeros(0, np.int64), np.zeros(0)))
    square = _squares(blocks.points, _FOLD_M)
    fold = rng.permutation(int(square.max()) + 1)[square] % FOLDS
    squares = _without_group(blocks, candidates, drawn, _squares(blocks.points, SQUARE_M))
    trials = _Trials(held, _without_group(blocks, candidates, drawn, blocks.site), fold)
    every, plain = range(len(candidates)), [n for n, one in enumerate(candidates) if one.model.ratio == 1]
    rules, whole = trials.rules(every), trials.rule(every, NO_FOLD)
    schemes = [(BY_DISTANCE, held[CHOOSING], rules), ("squares 500 m", squares, rules),
               ("one site out", trials.other_site, rules)]  # fmt: skip
    if plain and any(candidates[place].model.ratio != 1 for place in whole.places):
        schemes.insert(1, (f"{BY_DISTANCE}, isotropic", held[CHOOSING], trials.rules(plain)))
    reports = [_report(name, trial, fold, own) for name, trial, own in schemes if trial is not None]
    held_out = HeldOut(held[CHOOSING].own, _judged(held[CHOOSING], fold, rules)[0])
    return Choice([candidates[place] for place in whole.places], whole.widening, reports, held_out)


def _apart(blocks: Blocks, candidates: Sequence[Candidate], drawn: Ints, radius_m: float) -> _Trial | None:
    """Predict each block from those at or beyond a distance."""
    near, kept = beyond(blocks.points, blocks.points[drawn], max(radius_m, 1e-6))
    return _Trial(blocks, candidates, near, drawn[kept]) if len(kept) else None


def _without_group(blocks: Blocks, candidates: Sequence[Candidate], drawn: Ints, groups: Ints) -> _Trial | None:
    """Predict each block without its own group; blocks of no group (-1) are not validated."""
    drawn = drawn[groups[drawn] >= 0]
    if len(drawn) < FEWEST or len(np.unique(groups)) < 3:
        return None
    near, kept = beyond(blocks.points, blocks.points[drawn], 1e-6, groups=groups, own=groups[drawn])
    return _Trial(blocks, candidates, near, drawn[kept]) if len(kept) >= FEWEST else None
