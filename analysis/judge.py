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

from analysis import estimates
from analysis.estimates import Estimate
from analysis.evidence_counts import Counter
from analysis.groups import Floats, Frame, Rows, framed, in_order, slots
from analysis.intervals import NORMAL
from analysis.scores import along, score
from analysis.sheet import Sheet
from analysis.tally import SPLITS, Basis, Distribution, Tallier, Tally
from analysis.thresholds import Target, Thresholds
from analysis.total import SCORE, Points, Total

ON_AIR = "on_air_share"
ON_AIR_TESTS = 3
"""Tests a day from which a day without one says that the station was off (docs/rating.md, base stations; D)."""

PERCENTILES = {"p10": 0.1, "median": 0.5, "p90": 0.9}


class Scheme(NamedTuple):
    """How units are judged."""

    thresholds: Thresholds
    scope: str  # area or base_station
    technologies: Sequence[str]  # class of each technology index
    days: int = 0  # of the period, where on which of them a unit was on air counts


Found = dict[str, tuple[Estimate, Floats]]
"""Estimate and influence of each statistic of a KPI."""


def _statistics(tally: Tally, kpi: str) -> Found:
    if tally.spread is None:
        return {"share": estimates.share(tally)}
    found = {name: estimates.percentile(tally.basis, tally.spread, p) for name, p in PERCENTILES.items()}
    return found | {"mean": estimates.share(tally) if kpi == "loss" else estimates.mean(tally)}


def _percentile_slope(
    basis: Basis, spread: Distribution, name: str, target: Target, found: Found, scheme: Scheme
) -> Floats:
    """Return by how much the score falls where the share below the percentile rises, over about its own error."""
    probability = PERCENTILES[name]
    error = np.sqrt(estimates.variance(found[name][1]))
    step = np.clip(error, 0.01, 0.4 * min(probability, 1 - probability) + 0.05)
    high, low = np.minimum(probability + step, 0.999), np.maximum(probability - step, 0.001)
    places = (estimates.place_at(basis, spread, p) for p in (low, high))
    ends = [score(spread.centres[place], target, name, scheme.thresholds) for place in places]
    return np.asarray(-(ends[1] - ends[0]) / (high - low))


def _mean_slope(name: str, target: Target, found: Found, scheme: Scheme) -> Floats:
    estimate, influence = found[name]
    step = np.sqrt(estimates.variance(influence)) + np.abs(estimate.value) * 1e-3 + 1e-9
    low, high = np.maximum(estimate.value - step, 0.0), estimate.value + step
    ends = [score(x, target, name, scheme.thresholds) for x in (low, high)]
    return np.asarray(np.nan_to_num((ends[1] - ends[0]) / (high - low)))


def _points(tally: Tally, found: Found, target: Target, holds: npt.NDArray[np.bool_], scheme: Scheme) -> Points:
    """Score a KPI against a target in the groups it holds for; `held` numbers them among those of the tally."""
    basis, spread = tally.basis, tally.spread
    groups = len(basis.row)
    parts = scheme.thresholds.part[0].weights if len(target.values) > 1 else dict.fromkeys(target.values, 1.0)
    total, weight = np.zeros(groups), np.zeros(groups)
    influence = np.zeros((groups, SPLITS))
    for name in target.values:
        points = score(found[name][0].value, target, name, scheme.thresholds)
        slope = (
            _percentile_slope(basis, spread, name, target, found, scheme)
            if name in PERCENTILES and spread is not None
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
        estimate = found["share"][0]
        ends = np.stack([score(end[held], target, "share", scheme.thresholds) for end in (estimate.low, estimate.high)])
        point, linear = total[held] * scale, estimates.variance(own) / basis.worth[held] * NORMAL**2
        below = np.nan_to_num(np.maximum((point - ends.min(0)) ** 2 - linear, 0))
        above = np.nan_to_num(np.maximum((ends.max(0) - point) ** 2 - linear, 0))
    return Points(held, total[held] * scale, own, below, above)


def judge(rows: Rows, shape: tuple[int, int, int], scheme: Scheme, kpis: Sequence[str]) -> pl.DataFrame:
    """Judge every unit of a chunk.

    Parameters
    ----------
    rows
        Tests, in any order.
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
    return judge_ordered(in_order(rows), shape, scheme, kpis)


def judge_ordered(rows: Rows, shape: tuple[int, int, int], scheme: Scheme, kpis: Sequence[str]) -> pl.DataFrame:
    """Judge every unit of a chunk of tests that are in order (`analysis.groups.in_order`)."""
    frame = framed(rows, shape)
    weights = scheme.thresholds.weights(scheme.scope)
    sheet = Sheet(frame)
    total = Total(shape[0] * int(np.prod(slots(shape))), shape[2])
    for kpi, tally in Tallier(frame).tallies(kpis):
        _judge_kpi(kpi, frame, tally, weights.get(kpi), scheme, sheet, total)
    if scheme.days and ON_AIR in weights:
        _add_on_air(frame, weights[ON_AIR], scheme, total)
    _add_score(total, sum(weights.values()), scheme, sheet)
    return sheet.frame()


def _judge_kpi(
    kpi: str, frame: Frame, tally: Tally, weight: float | None, scheme: Scheme, sheet: Sheet, total: Total
) -> None:
    """Add the figures of one KPI to the sheet, and its scores to the score."""
    basis = tally.basis
    at = basis.position
    found = _statistics(tally, kpi)
    counts, rows_count, clusters = basis.counts.at(at), basis.rows_count[at], basis.clusters[at]
    for name, (estimate, _) in found.items():
        sheet.add(kpi, name, basis.slot, estimate.at(at), counts, rows_count, clusters)
    total.saw(basis.slot, counts, rows_count)
    technology = basis.slot % (len(scheme.technologies) + 1)
    for number, name in enumerate(scheme.technologies):
        target = scheme.thresholds.targets(name).get(kpi)
        if target is None or weight is None:
            continue
        points = _points(tally, found, target, frame.technology_of_row[basis.row] == number, scheme)
        place = np.full(len(basis.row), -1)
        place[points.held] = np.arange(len(points.held))
        chosen = np.flatnonzero((technology == number) & (place[at] >= 0))
        own = points.at(place[at[chosen]])
        total.add(basis.slot[chosen], own, weight, clusters[chosen])
        blank = np.full(len(chosen), np.nan)
        sheet.add(
            kpi, SCORE, basis.slot[chosen], Estimate(own.value, blank, blank, blank), counts.at(chosen),
            rows_count[chosen], clusters[chosen],
        )  # fmt: skip


def _add_on_air(frame: Frame, weight: float, scheme: Scheme, total: Total) -> None:
    """Add the score of the share of days with a test, where there are enough tests to tell; it has no error."""
    counts = Counter(frame).of(np.ones(len(frame.group), bool)).at(frame.row_of_slot)
    is_class = frame.slot % (len(scheme.technologies) + 1) < len(scheme.technologies)
    told = np.flatnonzero(is_class & (counts.samples >= ON_AIR_TESTS * scheme.days))
    value = along(counts.days[told] / scheme.days, scheme.thresholds.points(ON_AIR))
    none = np.zeros(len(told))
    points = Points(told, value, np.zeros((len(told), SPLITS)), none, none)
    total.add(frame.slot[told], points, weight, np.full(len(told), np.inf))


def _add_score(total: Total, possible: float, scheme: Scheme, sheet: Sheet) -> None:
    estimate, error, freedom, measured = total.finish(possible, scheme.thresholds.minimum_of(scheme.scope).weight)
    every = np.arange(len(measured))
    sheet.add(SCORE, SCORE, every, estimate, total.counts, total.rows_count, freedom, error)
    held = np.flatnonzero(measured > 0)
    blank = np.full(len(held), np.nan)
    weighed = Estimate(measured[held], blank, blank, blank)
    sheet.add(SCORE, "weight", held, weighed, total.counts.at(held), total.rows_count[held], freedom[held])
