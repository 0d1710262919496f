"""Estimates from tallies: percentiles, means and shares, each with its interval and its influence by cluster.

The influence of a cluster is what the estimate would move by if the cluster were left out, to first order
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


class Influence(NamedTuple):
    """How an estimate depends on its clusters. Shapes (G, SPLITS), (G, SPLITS), (G,)."""

    by_device: Floats
    by_place: Floats
    by_row: Floats  # sum of squares over rows

    def scaled(self, slope: Floats) -> Influence:
        """Return the influence on a function of the estimate with this slope."""
        return Influence(self.by_device * slope[:, None], self.by_place * slope[:, None], self.by_row * slope**2)

    def plus(self, other: Influence) -> Influence:
        """Return the influence on the sum of two estimates."""
        return Influence(self.by_device + other.by_device, self.by_place + other.by_place, self.by_row + other.by_row)


class Estimate(NamedTuple):
    """One statistic of every group. Absent intervals are NaN. Shapes (G,)."""

    value: Floats
    low: Floats
    high: Floats
    effective_count: Floats


class Mixed(NamedTuple):
    """A tally with the mixes over operators and technologies added; G = groups with mixes."""

    rows_count: Floats  # (G,)
    square: Floats  # (G,)
    fine: Floats  # (G, BINS)
    below: Floats  # (G, BINS) cumulated
    classes: Ints  # (G, BINS)
    by_device: Floats  # (G, SPLITS, CLASSES)
    by_place: Floats
    squares: Floats  # (G, CLASSES)
    clusters: Floats  # (G,) effective number of clusters

    @property
    def kish(self) -> Floats:
        """Effective number of rows, (sum w)**2 / sum w**2."""
        return np.divide(1.0, self.square, out=np.zeros_like(self.square), where=self.square > 0)


def _effective_clusters(weights: Floats) -> Floats:
    squares = np.square(weights).sum(1)
    squared = np.square(weights.sum(1))
    return np.asarray(np.divide(squared, squares, out=np.zeros(len(weights)), where=squares > 0))


def with_mixes(tally: Tally, shape: tuple[int, int, int]) -> Mixed:
    """Add the mixes over operators and technologies to a tally."""
    slots = (shape[1] + 1) * (shape[2] + 1)
    fine = mix(tally.fine, tally.rows_count, shape)
    by_device, by_place = (mix(part, tally.rows_count, shape) for part in (tally.by_device, tally.by_place))
    squares = mix(tally.squares, tally.rows_count, shape, power=2)
    below = np.cumsum(fine, 1)
    np.divide(below, below[:, -1:], out=below, where=below[:, -1:] > 0)
    clusters = np.minimum(_effective_clusters(by_device.sum(2)), _effective_clusters(by_place.sum(2)))
    return Mixed(
        mix_count(tally.rows_count, shape), squares.sum(1), fine, below,
        np.repeat(tally.classes, slots, 0).astype(np.int64), by_device, by_place, squares, clusters,
    )  # fmt: skip


def variance(influence: Influence) -> Floats:
    """Return the variance over two kinds of clusters: devices + places - rows, never below either."""

    def of(parts: Floats) -> Floats:
        held = np.maximum((parts != 0).sum(1), 2)
        return np.asarray(np.square(parts).sum(1) * held / (held - 1))

    device, place = of(influence.by_device), of(influence.by_place)
    return np.asarray(np.maximum(np.maximum(device, place), device + place - influence.by_row))


def code_at(mixed: Mixed, probability: Floats) -> Ints:
    """Return the lowest code with at least this share of the weight at or below it; shape (G,)."""
    groups = len(mixed.below)
    offset = 2.0 * np.arange(groups)
    flat = (mixed.below + offset[:, None]).ravel()
    target = np.clip(probability, 1e-12, 1 - 1e-9) - 1e-9 + offset
    return np.asarray(np.clip(np.searchsorted(flat, target) - np.arange(groups) * BINS, 0, BINS - 1), np.int64)


def share_influence(mixed: Mixed, code: Ints) -> Influence:
    """Return the influence on the share of weight at or below a code of each group."""
    rows = np.arange(len(code))
    kind = mixed.classes[rows, code]
    share = mixed.below[rows, code]
    mass = mixed.by_device.sum(1)  # (G, CLASSES)
    before = np.where(np.arange(CLASSES) < kind[:, None], 1.0, 0.0)
    start = (mass * before).sum(1)
    inside = mass[rows, kind]
    part = np.clip(np.divide(share - start, inside, out=np.zeros(len(code)), where=inside > 0), 0, 1)
    taken = before.copy()
    taken[rows, kind] = part  # share of each class that lies at or below the code
    score = taken - share[:, None]

    def over(parts: Floats) -> Floats:
        return np.asarray(np.einsum("gsk,gk->gs", parts, score))

    # A class that is cut has rows on either side: their squares are (1 - p)**2 and p**2, not the square of the mean.
    own = taken * (1 - share[:, None]) ** 2 + (1 - taken) * share[:, None] ** 2
    return Influence(over(mixed.by_device), over(mixed.by_place), (mixed.squares * own).sum(1))


def percentile(mixed: Mixed, centres: Floats, probability: float) -> tuple[Estimate, Influence]:
    """Estimate a percentile of every group; the influence is on the share below it.

    None below 6 samples, and none at the tails below 50.
    """
    groups = len(mixed.rows_count)
    code = code_at(mixed, np.full(groups, probability))
    influence = share_influence(mixed, code)
    low, high, effective = effective_ranks(probability, variance(influence), mixed.kish, mixed.clusters)
    need = MINIMUM_COUNT if probability == 0.5 else MINIMUM_COUNT_TAIL
    known = (mixed.rows_count >= need) & (effective * shrink(mixed.clusters) >= MINIMUM_COUNT - 1e-6)
    value = np.where(mixed.rows_count >= (1 if probability == 0.5 else need), centres[code], np.nan)
    ends = [np.where(known, centres[code_at(mixed, np.nan_to_num(p, nan=0.5))], np.nan) for p in (low, high)]
    return Estimate(value, ends[0], ends[1], effective), influence


def _mean_parts(mixed: Mixed, centres: Floats) -> tuple[Floats, Influence]:
    groups = len(mixed.rows_count)
    total = mixed.below[:, -1] > 0
    value = np.where(total, mixed.fine @ centres, np.nan)
    index = (np.arange(groups)[:, None] * CLASSES + mixed.classes).ravel()
    sums = np.bincount(index, (mixed.fine * centres).ravel(), minlength=groups * CLASSES).reshape(groups, CLASSES)
    squares = np.bincount(index, (mixed.fine * centres**2).ravel(), minlength=groups * CLASSES)
    mass = mixed.by_device.sum(1)
    ones = np.zeros_like(mass)
    centre = np.divide(sums, mass, out=ones.copy(), where=mass > 0)
    spread = np.divide(squares.reshape(groups, CLASSES), mass, out=ones.copy(), where=mass > 0) - centre**2
    score = np.where(mass > 0, centre - np.nan_to_num(value)[:, None], 0.0)
    by_row = (mixed.squares * (score**2 + np.maximum(spread, 0))).sum(1)
    return value, Influence(
        np.einsum("gsk,gk->gs", mixed.by_device, score), np.einsum("gsk,gk->gs", mixed.by_place, score), by_row
    )


def mean(mixed: Mixed, centres: Floats) -> tuple[Estimate, Influence]:
    """Estimate the mean of every group, with Student's t over clusters."""
    value, influence = _mean_parts(mixed, centres)
    v = variance(influence)
    freedom = np.maximum(mixed.clusters - 1, 0.5)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(v)
    known = (mixed.rows_count >= MINIMUM_COUNT) & (mixed.clusters >= 2)
    # On the scale of ratios, as a mean of speeds is skewed; where a value is not positive, on its own.
    ratio = np.where(value > 0, np.exp(half / np.where(value > 0, value, 1.0)), 1.0)
    low = np.where(value > 0, value / ratio, value - half)
    high = np.where(value > 0, value * ratio, value + half)
    return Estimate(value, np.where(known, low, np.nan), np.where(known, high, np.nan), mixed.kish), influence


def share(mixed: Mixed, centres: Floats) -> tuple[Estimate, Influence]:
    """Estimate a share of every group, with Wilson's interval for the effective number of samples."""
    value, influence = _mean_parts(mixed, centres)
    v = variance(influence)
    p = np.clip(np.nan_to_num(value), 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.minimum(np.where(v > 0, p * (1 - p) / v, np.inf), mixed.kish)
    effective = np.where(effective > 0, effective, mixed.kish)
    held = np.maximum(effective * shrink(mixed.clusters), 1e-9)
    low, high = wilson(p, held)
    known = (mixed.rows_count >= MINIMUM_COUNT) & (mixed.clusters >= 2)
    return Estimate(value, np.where(known, low, np.nan), np.where(known, high, np.nan), effective), influence
