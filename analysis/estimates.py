"""Estimates from tallies: percentiles, means and shares, each with its interval and its influence by cluster.

The influence of a random group of devices is what the estimate would move by if it were left out, to first order
(linearisation; Wolter 2007, chapter 6). Influences add up over KPIs, so that the interval of a score needs no
resampling. Everything is given for the K rows of a tally's basis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analysis.groups import Floats, Ints
from analysis.intervals import MINIMUM_COUNT, MINIMUM_COUNT_TAIL, NORMAL, effective_ranks, wilson
from analysis.tally import Basis, Distribution, Tally, first_at


class Estimate(NamedTuple):
    """One statistic of every group. Absent intervals are NaN. Shapes (K,)."""

    value: Floats
    low: Floats
    high: Floats
    effective_count: Floats

    def at(self, index: Ints) -> Estimate:
        """Return some of the groups."""
        return Estimate(*(figures[index] for figures in self))


def variance(influence: Floats) -> Floats:
    """Return the variance of estimates from the influence of each random group of devices, shape (K, SPLITS)."""
    held = np.maximum((influence != 0).sum(1), 2)
    return np.asarray(np.square(influence).sum(1) * held / (held - 1))


def place_at(basis: Basis, spread: Distribution, probability: Floats) -> Ints:
    """Return the lowest value (as its place) with at least this share of the weight at or below it; shape (K,)."""
    target = (np.clip(probability, 0, 1 - 1e-9) - 1e-9) * spread.below[basis.row, -1]
    return first_at(spread.below, basis.row, target)


def share_influence(basis: Basis, spread: Distribution, place: Ints) -> Floats:
    """Return the influence on the share of weight at or below a value of each group."""
    kind = spread.kind[spread.unit, place].astype(np.int64)
    before = spread.by_kind[basis.row, kind - 1]
    inside = spread.by_kind[basis.row, kind] - before
    reached = spread.below[basis.row, place]
    rest, whole = reached - before.sum(1), inside.sum(1)
    taken = np.clip(np.divide(rest, whole, out=np.zeros(len(place)), where=whole > 0), 0, 1)
    share = reached / spread.below[basis.row, -1]
    return np.asarray((before + taken[:, None] * inside - share[:, None] * basis.by_split) / basis.votes[:, None])


def percentile(basis: Basis, spread: Distribution, probability: float) -> tuple[Estimate, Floats]:
    """Estimate a percentile of every group; the influence is on the share below it.

    None below 6 samples, and none at the tails below 50.
    """
    place = place_at(basis, spread, np.full(len(basis.row), probability))
    influence = share_influence(basis, spread, place)
    low, high, effective = effective_ranks(probability, variance(influence), basis.kish, basis.worth)
    need = MINIMUM_COUNT if probability == 0.5 else MINIMUM_COUNT_TAIL
    known = (basis.rows_count >= need - 1e-3) & (effective * basis.worth >= MINIMUM_COUNT - 1e-6)
    value = np.where(basis.rows_count >= (0 if probability == 0.5 else need), spread.centres[place], np.nan)
    places = (place_at(basis, spread, np.nan_to_num(p, nan=0.5)) for p in (low, high))
    ends = [np.where(known, spread.centres[end], np.nan) for end in places]
    return Estimate(value, ends[0], ends[1], effective), influence


def _mean_parts(tally: Tally) -> tuple[Floats, Floats]:
    basis = tally.basis
    value = tally.sums.sum(1) / basis.votes
    return value, (tally.sums - value[:, None] * basis.by_split) / basis.votes[:, None]


def mean(tally: Tally) -> tuple[Estimate, Floats]:
    """Estimate the mean of every group, with Student's t over clusters."""
    basis = tally.basis
    value, influence = _mean_parts(tally)
    half = NORMAL * np.sqrt(variance(influence) / basis.worth)
    known = (basis.rows_count >= MINIMUM_COUNT) & (basis.clusters >= 2)
    # On the scale of ratios, as a mean of speeds is skewed; where a value is not positive, on its own.
    ratio = np.where(value > 0, np.exp(np.minimum(half / np.where(value > 0, value, 1.0), 30.0)), 1.0)
    low = np.where(value > 0, value / ratio, value - half)
    high = np.where(value > 0, value * ratio, value + half)
    return Estimate(value, np.where(known, low, np.nan), np.where(known, high, np.nan), basis.kish), influence


def share(tally: Tally) -> tuple[Estimate, Floats]:
    """Estimate a share (or a mean of ratios) of every group, with Wilson's interval for the effective number."""
    basis = tally.basis
    value, influence = _mean_parts(tally)
    # Sums of ones and of weights round apart: all is all, and none is none.
    value = np.where(value > 1 - 1e-12, 1.0, np.maximum(value, 0.0))
    v = variance(influence)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.minimum(np.where(v > 1e-24, value * (1 - value) / v, np.inf), basis.kish)
    effective = np.where(effective > 0, effective, basis.kish)
    low, high = wilson(value, np.maximum(effective * basis.worth, 1e-9))
    known = (basis.rows_count >= MINIMUM_COUNT) & (basis.clusters >= 2)
    return Estimate(value, np.where(known, low, np.nan), np.where(known, high, np.nan), effective), influence
