"""Estimates from tallies: percentiles, means and shares, each with its interval and its influence by cluster.

The influence of a random group of devices is what the estimate would move by if it were left out, to first order
(linearisation; Wolter 2007, chapter 6). Influences add up over KPIs, so that the
interval of a score needs no resampling.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.intervals import MINIMUM_COUNT, MINIMUM_COUNT_TAIL, effective_ranks, shrink, wilson
from analysis.quantisation import BINS
from analysis.tally import CLASSES, Tally, mix, mix_count

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Estimate(NamedTuple):
    """One statistic of every group. Absent intervals are NaN. Shapes (G,)."""

    value: Floats
    low: Floats
    high: Floats
    effective_count: Floats


class Mixed(NamedTuple):
    """A tally with the mixes over operators and technologies added, of the groups that have rows."""

    held: Ints  # number of each group among all groups with mixes
    rows_count: Floats  # (G,)
    below: Floats  # (G, BINS) weight at or below each code, plus twice the number of the row: ascends throughout
    classes: npt.NDArray[np.uint8]  # (units, BINS)
    unit: Ints  # (G,)
    by_device: Floats  # (G, SPLITS, CLASSES)
    mass: Floats  # (G, CLASSES)
    sums: Floats  # (G, CLASSES)
    kish: Floats  # (G,) effective number of rows, (sum w)**2 / sum w**2
    clusters: Floats  # (G,) effective number of clusters
    worth: Floats  # (G,) what a variance from so many clusters is worth


def with_mixes(tally: Tally, shape: tuple[int, int, int]) -> Mixed:
    """Add the mixes over operators and technologies to a tally, and leave out empty groups."""
    count = mix_count(tally.rows_count, shape)
    held = np.flatnonzero(count > 0)

    def mixed(of: Floats, power: int = 1) -> Floats:
        return mix(of, tally.votes, shape, power)[held]

    by_device = mixed(tally.by_device)
    below = mixed(tally.fine)
    np.cumsum(below, 1, out=below)
    below /= below[:, -1:].copy()
    below += 2.0 * np.arange(len(held))[:, None]
    weights = by_device.sum(2)
    clusters = np.square(weights.sum(1)) / np.square(weights).sum(1)
    return Mixed(
        held, count[held], below, tally.classes, held // (len(count) // shape[0]), by_device, by_device.sum(1),
        mixed(tally.sums), 1.0 / mixed(tally.squares, 2), clusters, shrink(clusters),
    )  # fmt: skip


def variance(influence: Floats) -> Floats:
    """Return the variance of estimates from the influence of each random group of devices, shape (G, SPLITS)."""
    held = np.maximum((influence != 0).sum(1), 2)
    return np.asarray(np.square(influence).sum(1) * held / (held - 1))


def code_at(mixed: Mixed, probability: Floats) -> Ints:
    """Return the lowest code with at least this share of the weight at or below it; shape (G,)."""
    row = np.arange(len(mixed.held))
    target = np.clip(probability, 1e-12, 1 - 1e-9) - 1e-9 + 2.0 * row
    return np.asarray(np.clip(np.searchsorted(mixed.below.ravel(), target) - row * BINS, 0, BINS - 1), np.int64)


def share_influence(mixed: Mixed, code: Ints) -> Floats:
    """Return the influence on the share of weight at or below a code of each group."""
    rows = np.arange(len(code))
    kind = mixed.classes[mixed.unit, code].astype(np.int64)
    share = mixed.below[rows, code] - 2.0 * rows
    taken = np.where(np.arange(CLASSES) < kind[:, None], 1.0, 0.0)
    inside = mixed.mass[rows, kind]
    rest = share - (mixed.mass * taken).sum(1)
    taken[rows, kind] = np.clip(np.divide(rest, inside, out=np.zeros(len(code)), where=inside > 0), 0, 1)
    return _over(mixed.by_device, taken - share[:, None])


def _over(parts: Floats, score: Floats) -> Floats:
    return np.asarray((parts @ score[:, :, None])[:, :, 0])


def percentile(mixed: Mixed, centres: Floats, probability: float) -> tuple[Estimate, Floats]:
    """Estimate a percentile of every group; the influence is on the share below it.

    None below 6 samples, and none at the tails below 50.
    """
    code = code_at(mixed, np.full(len(mixed.held), probability))
    influence = share_influence(mixed, code)
    low, high, effective = effective_ranks(probability, variance(influence), mixed.kish, mixed.worth)
    need = MINIMUM_COUNT if probability == 0.5 else MINIMUM_COUNT_TAIL
    known = (mixed.rows_count >= need - 1e-3) & (effective * mixed.worth >= MINIMUM_COUNT - 1e-6)
    value = np.where(mixed.rows_count >= (0 if probability == 0.5 else need), centres[code], np.nan)
    ends = [np.where(known, centres[code_at(mixed, np.nan_to_num(p, nan=0.5))], np.nan) for p in (low, high)]
    return Estimate(value, ends[0], ends[1], effective), influence


def _mean_parts(mixed: Mixed) -> tuple[Floats, Floats]:
    value = mixed.sums.sum(1)
    mass = mixed.mass
    centre = np.divide(mixed.sums, mass, out=np.zeros_like(mass), where=mass > 0)
    return value, _over(mixed.by_device, np.where(mass > 0, centre - value[:, None], 0.0))


def mean(mixed: Mixed) -> tuple[Estimate, Floats]:
    """Estimate the mean of every group, with Student's t over clusters."""
    value, influence = _mean_parts(mixed)
    v = variance(influence)
    half = stats.norm.ppf(0.975) * np.sqrt(v / mixed.worth)
    known = (mixed.rows_count >= MINIMUM_COUNT) & (mixed.clusters >= 2)
    # On the scale of ratios, as a mean of speeds is skewed; where a value is not positive, on its own.
    ratio = np.where(value > 0, np.exp(np.minimum(half / np.where(value > 0, value, 1.0), 30.0)), 1.0)
    low = np.where(value > 0, value / ratio, value - half)
    high = np.where(value > 0, value * ratio, value + half)
    return Estimate(value, np.where(known, low, np.nan), np.where(known, high, np.nan), mixed.kish), influence


def share(mixed: Mixed) -> tuple[Estimate, Floats]:
    """Estimate a share (or a mean of ratios) of every group, with Wilson's interval for the effective number."""
    value, influence = _mean_parts(mixed)
    value = np.clip(value, 0, 1)
    v = variance(influence)
    p = value
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.minimum(np.where(v > 0, p * (1 - p) / v, np.inf), mixed.kish)
    effective = np.where(effective > 0, effective, mixed.kish)
    held = np.maximum(effective * mixed.worth, 1e-9)
    low, high = wilson(p, held)
    known = (mixed.rows_count >= MINIMUM_COUNT) & (mixed.clusters >= 2)
    return Estimate(value, np.where(known, low, np.nan), np.where(known, high, np.nan), effective), influence
