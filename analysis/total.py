"""The weighted sum of the scores of KPIs, with its interval: influences of devices add up before they are squared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis import estimates
from analysis.estimates import Estimate
from analysis.evidence_counts import Counts
from analysis.groups import Floats, Ints
from analysis.intervals import shrink
from analysis.tally import SPLITS

SCORE = "score"


class Points(NamedTuple):
    """Scores of a KPI with their influence, for some groups.

    `below` and `above` are squares of how much farther than the influence says the score may lie on either side: the
    interval of a share is not symmetric, and no failure among few tests is not none at all.
    """

    held: Ints
    value: Floats
    influence: Floats  # (G, SPLITS)
    below: Floats
    above: Floats

    def at(self, index: Ints) -> Points:
        """Return some of the groups."""
        below, above = self.below[index], self.above[index]
        return Points(self.held[index], self.value[index], self.influence[index], below, above)


class Total:
    """The weighted sum of KPI scores of every group, under construction."""

    def __init__(self, groups: int, technologies: int) -> None:
        self.technologies = technologies
        self.total, self.weight = np.zeros(groups), np.zeros(groups)
        self.influence = np.zeros((groups, SPLITS))
        self.below, self.above = np.zeros(groups), np.zeros(groups)
        self.freedom = np.full(groups, np.inf)
        self.counts = Counts(np.zeros(groups), np.zeros(groups), np.zeros(groups))
        self.rows_count = np.zeros(groups)

    def saw(self, index: Ints, counts: Counts, rows_count: Floats) -> None:
        """Note the evidence behind a KPI: a score stands on its best one."""
        for own, new in zip(self.counts, counts, strict=True):
            own[index] = np.maximum(own[index], new)
        self.rows_count[index] = np.maximum(self.rows_count[index], rows_count)

    def add(self, index: Ints, points: Points, weight: float, freedom: Floats) -> None:
        """Add the scores of a KPI in the groups of `index`."""
        self.total[index] += weight * points.value
        self.weight[index] += weight
        self.influence[index] += weight * points.influence
        self.below[index] += weight**2 * points.below
        self.above[index] += weight**2 * points.above
        self.freedom[index] = np.minimum(self.freedom[index], freedom)

    def finish(self, possible: float, least: float) -> tuple[Estimate, Floats, Floats, Floats]:
        """Return score with interval, its error, its degrees of freedom, and the share of weight that was measured."""
        enough = self.weight >= possible * least - 1e-9
        scale = np.where(enough, 1 / np.maximum(self.weight, 1e-9), 0.0)
        shares = self._shares(enough)
        value = self._mixed(self.total * scale, shares)
        measured = self._mixed(np.where(enough, self.weight, 0.0), shares) / possible
        influence = self._mixed(self.influence * scale[:, None], shares)
        freedom = np.where(enough, np.maximum(self.freedom, 1e-9), np.inf).reshape(-1, self.technologies + 1)
        parts = (shares / freedom[:, :-1]).sum(1)
        freedom[:, -1] = np.divide(1.0, parts, out=np.full(len(parts), np.inf), where=parts > 0)
        freedom = np.asarray(np.where(np.isinf(freedom), 0.0, freedom).reshape(-1))
        known = measured > 0
        error = np.sqrt(estimates.variance(influence))
        half = special.stdtrit(np.maximum(freedom - 1, 0.5), 0.975) * error
        # Margins recovered from the intervals of shares (MOVER; Zou and Donner 2008), on either side by itself.
        below, above = (np.sqrt(half**2 + self._mixed(of * scale**2, shares**2)) for of in (self.below, self.above))
        sure = known & (freedom * shrink(freedom) >= 2)
        estimate = Estimate(
            np.where(known, value, np.nan),
            np.where(sure, np.clip(value - below, 0, 100), np.nan),
            np.where(sure, np.clip(value + above, 0, 100), np.nan),
            np.full(len(value), np.nan),
        )
        return estimate, error, freedom, measured

    def _shares(self, enough: npt.NDArray[np.bool_]) -> Floats:
        """Return what each technology weighs in the mix: as many rows as it has, among those that are scored."""
        slots_count = self.technologies + 1
        n = np.where(enough, self.rows_count, 0.0).reshape(-1, slots_count)[:, : self.technologies]
        whole = n.sum(1, keepdims=True)
        return np.asarray(np.divide(n, whole, out=np.zeros_like(n), where=whole > 0))

    def _mixed(self, of: Floats, shares: Floats) -> Floats:
        out = of.reshape(-1, self.technologies + 1, *of.shape[1:]).copy()
        weight = shares.reshape(*shares.shape, *(1,) * (of.ndim - 1))
        out[:, -1] = (out[:, :-1] * weight).sum(1)
        return np.asarray(out.reshape(of.shape))
