"""Judge the units of one chunk: every KPI's figures and the score of every unit x operator x technology.

A unit is an area, an area in a month, or a base station. Everything is computed for all groups at once; the result is
a long frame with indices in place of names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from analysis import estimates
from analysis.estimates import Estimate, Mixed
from analysis.evidence_counts import Counter, Counts
from analysis.intervals import shrink
from analysis.quantisation import MISSING, SCALES, SHARES
from analysis.scores import score
from analysis.tally import SPLITS, Rows, mix_count, put_in_groups, slots, tally
from analysis.thresholds import Target, Thresholds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SCORE = "score"
PERCENTILES = {"p10": 0.1, "median": 0.5, "p90": 0.9}


class Scheme(NamedTuple):
    """How units are judged."""

    thresholds: Thresholds
    scope: str  # area or base_station
    technologies: Sequence[str]  # class of each technology index


Found = dict[str, tuple[Estimate, Floats]]
"""Estimate and influence of each statistic of a KPI."""


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


def _statistics(mixed: Mixed, kpi: str) -> Found:
    if kpi in SHARES:
        return {"share": estimates.share(mixed)}
    centres = SCALES[kpi].centres
    found = {name: estimates.percentile(mixed, centres, p) for name, p in PERCENTILES.items()}
    return found | {"mean": estimates.share(mixed) if kpi == "loss" else estimates.mean(mixed)}


def _percentile_slope(mixed: Mixed, kpi: str, name: str, target: Target, found: Found, scheme: Scheme) -> Floats:
    """Return by how much the score falls where the share below the percentile rises, over about its own error."""
    probability = PERCENTILES[name]
    error = np.sqrt(estimates.variance(found[name][1]))
    step = np.clip(error, 0.01, 0.4 * min(probability, 1 - probability) + 0.05)
    high, low = np.minimum(probability + step, 0.999), np.maximum(probability - step, 0.001)
    centres = SCALES[kpi].centres
    ends = [score(centres[estimates.code_at(mixed, p)], target, name, scheme.thresholds) for p in (low, high)]
    return np.asarray(-(ends[1] - ends[0]) / (high - low))


def _mean_slope(name: str, target: Target, found: Found, scheme: Scheme) -> Floats:
    estimate, influence = found[name]
    step = np.sqrt(estimates.variance(influence)) + np.abs(estimate.value) * 1e-3 + 1e-9
    low, high = np.maximum(estimate.value - step, 0.0), estimate.value + step
    ends = [score(x, target, name, scheme.thresholds) for x in (low, high)]
    return np.asarray(np.nan_to_num((ends[1] - ends[0]) / (high - low)))


def _points(
    mixed: Mixed, kpi: str, found: Found, target: Target, holds: npt.NDArray[np.bool_], scheme: Scheme
) -> Points:
    """Score a KPI against a target in the groups it holds for."""
    groups = len(mixed.held)
    parts = scheme.thresholds.part[0].weights if len(target.values) > 1 else dict.fromkeys(target.values, 1.0)
    total, weight = np.zeros(groups), np.zeros(groups)
    influence = np.zeros((groups, SPLITS))
    for name in target.values:
        points = score(found[name][0].value, target, name, scheme.thresholds)
        slope = (
            _percentile_slope(mixed, kpi, name, target, found, scheme)
            if name in PERCENTILES
            else _mean_slope(name, target, found, scheme)
        )
        own = np.where(np.isnan(points), 0.0, parts[name])
        total += own * np.nan_to_num(points)
        weight += own
        influence += found[name][1] * (np.nan_to_num(slope) * own)[:, None]
    held = np.flatnonzero(holds & (weight > 0))
    scale = 1 / weight[held]
    own = influence[held] * scale[:, None]
    below, above = np.zeros(len(held)), np.zeros(len(held))
    if "share" in target.values:
        estimate = next(found[name][0] for name in target.values)
        name = next(iter(target.values))
        ends = np.stack([score(end[held], target, name, scheme.thresholds) for end in (estimate.low, estimate.high)])
        point, linear = total[held] * scale, estimates.variance(own) / mixed.worth[held] * stats.norm.ppf(0.975) ** 2
        below = np.nan_to_num(np.maximum((point - ends.min(0)) ** 2 - linear, 0))
        above = np.nan_to_num(np.maximum((ends.max(0) - point) ** 2 - linear, 0))
    return Points(mixed.held[held], total[held] * scale, own, below, above)


class _Sheet:
    """Long rows under construction."""

    def __init__(self, shape: tuple[int, int, int], simulated: Floats) -> None:
        self.slots = slots(shape)
        self.simulated = simulated
        self.frames: list[pl.DataFrame] = []

    def add(
        self, kpi: str, statistic: str, index: Ints, estimate: Estimate, counts: Counts, rows_count: Floats,
        freedom: Floats, error: Floats | None = None,
    ) -> None:  # fmt: skip
        """Add one statistic of a KPI; everything is given for the groups of `index`."""
        operators, technologies = self.slots
        self.frames.append(
            pl.DataFrame(
                {
                    "unit": (index // (operators * technologies)).astype(np.int32),
                    "operator": (index // technologies % operators).astype(np.int16),
                    "technology": (index % technologies).astype(np.int16),
                    "value": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "effective_count": estimate.effective_count,
                    "samples_count": counts.samples.astype(np.int64),
                    "devices_count": counts.devices.astype(np.int64),
                    "rows_count": np.rint(rows_count).astype(np.int64),
                    "days_count": counts.days.astype(np.int64),
                    "is_simulated": self.simulated[index] > 0,
                    "error": np.full(len(index), np.nan) if error is None else error,
                    "freedom": freedom,
                }
            ).with_columns(pl.lit(kpi).alias("kpi"), pl.lit(statistic).alias("statistic"))
        )

    def frame(self) -> pl.DataFrame:
        """Return all rows."""
        return pl.concat(self.frames)


class _Score:
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

    def add(self, points: Points, weight: float, freedom: Floats) -> None:
        """Add the scores of a KPI."""
        index = points.held
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
        half = stats.t.ppf(0.975, np.maximum(freedom - 1, 0.5)) * error
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


def judge(rows: Rows, shape: tuple[int, int, int], scheme: Scheme, kpis: Sequence[str]) -> pl.DataFrame:
    """Judge every unit of a chunk.

    Parameters
    ----------
    rows
        Collapsed rows.
    shape
        Numbers of units, operators, technologies.
    scheme
        Thresholds, scope, names of technologies.
    kpis
        KPIs to judge.

    Returns
    -------
    Long rows: unit, operator, technology (indices; the number itself stands for the mix), kpi, statistic, figures,
    counts, `error` (standard error of scores) and `freedom` (effective clusters).
    """
    frame = put_in_groups(rows, shape)
    groups = shape[0] * int(np.prod(slots(shape)))
    simulated = np.bincount(frame.group, rows.is_simulated[frame.order], minlength=int(np.prod(shape)))
    weights = scheme.thresholds.weights(scheme.scope)
    sheet = _Sheet(shape, mix_count(simulated, shape))
    whole = _Score(groups, shape[2])
    counter = Counter(frame, rows)
    for kpi in kpis:
        valid = rows.codes[kpi][frame.order] != MISSING
        if valid.any():
            centres = SCALES[kpi].centres
            tallied = tally(frame, rows.codes[kpi], centres)
            mixed = estimates.with_mixes(tallied, shape)
            _judge_kpi(kpi, mixed, counter.of(valid).at(mixed.held), weights.get(kpi), scheme, sheet, whole)
    _add_score(whole, sum(weights.values()), scheme, sheet)
    return sheet.frame()


def _judge_kpi(
    kpi: str, mixed: Mixed, counts: Counts, weight: float | None, scheme: Scheme, sheet: _Sheet, whole: _Score
) -> None:
    """Add the figures of one KPI to the sheet, and its scores to the score."""
    found = _statistics(mixed, kpi)
    for name, (estimate, _) in found.items():
        sheet.add(kpi, name, mixed.held, estimate, counts, mixed.rows_count, mixed.clusters)
    whole.saw(mixed.held, counts, mixed.rows_count)
    technology = mixed.held % (len(scheme.technologies) + 1)
    for number, name in enumerate(scheme.technologies):
        target = scheme.thresholds.targets(name).get(kpi)
        if target is None or weight is None:
            continue
        points = _points(mixed, kpi, found, target, technology == number, scheme)
        position = np.searchsorted(mixed.held, points.held)
        whole.add(points, weight, mixed.clusters[position])
        blank = np.full(len(position), np.nan)
        sheet.add(
            kpi, SCORE, points.held, Estimate(points.value, blank, blank, blank), counts.at(position),
            mixed.rows_count[position], mixed.clusters[position],
        )  # fmt: skip


def _add_score(whole: _Score, possible: float, scheme: Scheme, sheet: _Sheet) -> None:
    estimate, error, freedom, measured = whole.finish(possible, scheme.thresholds.minimum_of(scheme.scope).weight)
    every = np.arange(len(measured))
    sheet.add(SCORE, SCORE, every, estimate, whole.counts, whole.rows_count, freedom, error)
    held = np.flatnonzero(measured > 0)
    blank = np.full(len(held), np.nan)
    weighed = Estimate(measured[held], blank, blank, blank)
    sheet.add(SCORE, "weight", held, weighed, whole.counts.at(held), whole.rows_count[held], freedom[held])
