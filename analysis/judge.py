"""Judge the units of one chunk: every KPI's figures and the score of every unit x operator x technology.

A unit is an area, an area in a month, or a base station. Everything is computed for all groups at once; the result is
a long frame with indices in place of names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from analysis import estimates
from analysis.estimates import Estimate, Influence, Mixed
from analysis.intervals import shrink
from analysis.quantisation import MISSING, SCALES, SHARES
from analysis.scores import score
from analysis.tally import SPLITS, Frame, Rows, mix_count, put_in_groups, tally
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
    is_balanced: bool  # whether each H3 cell weighs the same


class Parts(NamedTuple):
    """A running weighted sum of scores with its influence. Shapes (G,)."""

    total: Floats
    weight: Floats
    influence: Influence


class Counts(NamedTuple):
    """Evidence behind a KPI in every group with mixes. Shapes (G,)."""

    samples: Floats
    devices: Floats
    days: Floats


def _nothing(groups: int) -> Influence:
    return Influence(np.zeros((groups, SPLITS)), np.zeros((groups, SPLITS)), np.zeros(groups))


def _distinct(frame: Frame, present: npt.NDArray[np.bool_], ids: npt.NDArray[np.uint32]) -> Floats:
    """Count distinct devices (or places) of every group, mixes included.

    `present` marks the (group, device) pairs that have the KPI, `ids` names the device of each pair.
    """
    units, operators, technologies = frame.shape
    group = frame.device_group[present]
    name = ids[present].astype(np.int64)
    unit, operator, technology = (
        group // (operators * technologies),
        group // technologies % operators,
        group % technologies,
    )
    result = np.zeros((units, operators + 1, technologies + 1))
    for o, t in ((0, 0), (1, 0), (0, 1), (1, 1)):
        slot_o = np.full_like(operator, operators) if o else operator
        slot_t = np.full_like(technology, technologies) if t else technology
        slot = (unit * (operators + 1) + slot_o) * (technologies + 1) + slot_t
        pairs = slot << 32 | name
        if o or t:
            pairs = np.unique(pairs)
        result.ravel()[:] += np.bincount(pairs >> 32, minlength=result.size)
    return result.ravel()


def _counts(frame: Frame, rows: Rows, codes: npt.NDArray[np.uint16], ids: npt.NDArray[np.uint32]) -> Counts:
    groups = int(np.prod(frame.shape))
    valid = codes[frame.order] != MISSING
    tests = np.bincount(frame.group[valid], rows.tests[frame.order][valid], minlength=groups)
    present = np.bincount(frame.device[valid], minlength=len(frame.device_group)) > 0
    places = np.bincount(frame.place[valid], minlength=int(frame.place[-1]) + 1) > 0
    place_group = np.zeros(len(places), np.int64)
    place_group[frame.place] = frame.group
    days = np.bincount(place_group[places], minlength=groups).astype(float)
    return Counts(mix_count(tests, frame.shape), _distinct(frame, present, ids), mix_count(days, frame.shape))


def _slope(
    mixed: Mixed, centres: Floats, probability: float, target: Target, name: str, scheme: Scheme, v: Floats
) -> Floats:
    """Return by how much the score falls where the share below the percentile rises, over about its own error."""
    step = np.clip(np.sqrt(v), 0.01, 0.4 * min(probability, 1 - probability) + 0.05)
    high = np.minimum(probability + step, 0.999)
    low = np.maximum(probability - step, 0.001)
    ends = [score(centres[estimates.code_at(mixed, p)], target, name, scheme.thresholds) for p in (low, high)]
    return np.asarray(-(ends[1] - ends[0]) / (high - low))


def _score_percentiles(
    mixed: Mixed, centres: Floats, found: dict[str, tuple[Estimate, Influence]], target: Target, scheme: Scheme
) -> Parts:
    groups = len(mixed.rows_count)
    parts = scheme.thresholds.part[0].weights if len(target.values) > 1 else dict.fromkeys(target.values, 1.0)
    total, weight, influence = np.zeros(groups), np.zeros(groups), _nothing(groups)
    for name in target.values:
        estimate, below = found[name]
        points = score(estimate.value, target, name, scheme.thresholds)
        known = ~np.isnan(points)
        slope = _slope(mixed, centres, PERCENTILES[name], target, name, scheme, estimates.variance(below))
        own = np.where(known, parts[name], 0.0)
        total += own * np.nan_to_num(points)
        weight += own
        influence = influence.plus(below.scaled(np.nan_to_num(slope) * own))
    return Parts(total, weight, influence)


def _score_mean(found: tuple[Estimate, Influence], target: Target, name: str, scheme: Scheme) -> Parts:
    estimate, influence = found
    step = np.maximum(np.sqrt(estimates.variance(influence)), np.abs(np.nan_to_num(estimate.value)) * 1e-3 + 1e-9)
    low, high = np.maximum(estimate.value - step, 0.0), estimate.value + step
    ends = [score(x, target, name, scheme.thresholds) for x in (low, high)]
    slope = np.nan_to_num((ends[1] - ends[0]) / (high - low))
    points = score(estimate.value, target, name, scheme.thresholds)
    known = ~np.isnan(points)
    return Parts(np.nan_to_num(points), known.astype(float), influence.scaled(slope * known))


def _kpi(mixed: Mixed, kpi: str) -> dict[str, tuple[Estimate, Influence]]:
    centres = SCALES[kpi].centres
    if kpi in SHARES:
        return {"share": estimates.share(mixed, centres)}
    found = {name: estimates.percentile(mixed, centres, p) for name, p in PERCENTILES.items()}
    return found | {"mean": estimates.mean(mixed, centres)}


def _by_technology(scheme: Scheme, kpi: str, groups: int) -> Iterator[tuple[Target, npt.NDArray[np.bool_]]]:
    """Yield each target of a KPI with the groups it holds for; the mix of technologies has none of its own."""
    slots = len(scheme.technologies) + 1
    technology = np.arange(groups) % slots
    for index, name in enumerate(scheme.technologies):
        target = scheme.thresholds.targets(name).get(kpi)
        if target is not None:
            yield target, technology == index


class _Sheet:
    """Long rows under construction."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.slots = (shape[1] + 1, shape[2] + 1)
        self.frames: list[pl.DataFrame] = []

    def add(
        self, kpi: str, statistic: str, estimate: Estimate, counts: Counts, rows_count: Floats, simulated: Floats,
        freedom: Floats, error: Floats | None = None, keep: npt.NDArray[np.bool_] | None = None,
    ) -> None:  # fmt: skip
        """Add one statistic of a KPI for every group that has samples."""
        index = np.flatnonzero((counts.samples > 0) if keep is None else keep)
        operators, technologies = self.slots
        self.frames.append(
            pl.DataFrame(
                {
                    "unit": (index // (operators * technologies)).astype(np.int32),
                    "operator": (index // technologies % operators).astype(np.int16),
                    "technology": (index % technologies).astype(np.int16),
                    "value": estimate.value[index],
                    "low": estimate.low[index],
                    "high": estimate.high[index],
                    "effective_count": estimate.effective_count[index],
                    "samples_count": counts.samples[index].astype(np.int64),
                    "devices_count": counts.devices[index].astype(np.int64),
                    "rows_count": rows_count[index].astype(np.int64),
                    "days_count": counts.days[index].astype(np.int64),
                    "is_simulated": simulated[index] > 0,
                    "error": (np.full(len(index), np.nan) if error is None else error[index]),
                    "freedom": freedom[index],
                }
            ).with_columns(pl.lit(kpi).alias("kpi"), pl.lit(statistic).alias("statistic"))
        )

    def frame(self) -> pl.DataFrame:
        """Return all rows."""
        return pl.concat(self.frames)


def _mix_technologies(parts: Parts, count: Floats, technologies: int) -> Parts:
    """Give the mix of technologies the scores of its technologies, each weighing as many rows as it has."""
    slots = technologies + 1
    known = (parts.weight > 0).reshape(-1, slots)[:, :technologies]
    n = np.where(known, count.reshape(-1, slots)[:, :technologies], 0.0)
    shares = np.divide(n, n.sum(1, keepdims=True), out=np.zeros_like(n), where=n.sum(1, keepdims=True) > 0)

    def mixed(of: Floats, power: int = 1) -> Floats:
        out = of.reshape(-1, slots, *of.shape[1:]).copy()
        w = (shares**power).reshape(*shares.shape, *(1,) * (of.ndim - 1))
        out[:, technologies] = (out[:, :technologies] * w).sum(1)
        return np.asarray(out.reshape(of.shape))

    influence = parts.influence
    return Parts(
        mixed(parts.total), mixed(parts.weight),
        Influence(mixed(influence.by_device), mixed(influence.by_place), mixed(influence.by_row, 2)),
    )  # fmt: skip


def _as_estimate(parts: Parts, freedom: Floats) -> tuple[Estimate, Floats]:
    """Return score, interval and standard error."""
    error = np.sqrt(estimates.variance(parts.influence))
    half = stats.t.ppf(0.975, np.maximum(freedom - 1, 0.5)) * error
    value = np.where(parts.weight > 0, parts.total, np.nan)
    known = (parts.weight > 0) & (freedom * shrink(freedom) >= 2)
    low = np.where(known, np.clip(value - half, 0, 100), np.nan)
    high = np.where(known, np.clip(value + half, 0, 100), np.nan)
    return Estimate(value, low, high, np.full(len(value), np.nan)), error


def judge(rows: Rows, shape: tuple[int, int, int], scheme: Scheme, kpis: Sequence[str]) -> pl.DataFrame:
    """Judge every unit of a chunk.

    Parameters
    ----------
    rows
        Collapsed rows.
    shape
        Numbers of units, operators, technologies.
    scheme
        Thresholds, scope, names of technologies, weighting.
    kpis
        KPIs to judge.

    Returns
    -------
    Long rows: unit, operator, technology (indices; the number itself stands for the mix), kpi, statistic, figures,
    counts, `error` (standard error of scores) and `freedom` (effective clusters).
    """
    frame = put_in_groups(rows, shape)
    ids = np.zeros(len(frame.device_group), np.uint32)
    ids[frame.device] = rows.device[frame.order]
    groups = shape[0] * (shape[1] + 1) * (shape[2] + 1)
    simulated = mix_count(
        np.bincount(frame.group, rows.is_simulated[frame.order], minlength=int(np.prod(shape))), shape
    )
    weights = scheme.thresholds.weights(scheme.scope)
    possible = sum(weights.values())
    sheet = _Sheet(shape)
    whole = Parts(np.zeros(groups), np.zeros(groups), _nothing(groups))
    freedom, most, rows_most = np.full(groups, np.inf), Counts(*np.zeros((3, groups))), np.zeros(groups)
    for kpi in kpis:
        codes = rows.codes[kpi]
        if not (codes != MISSING).any():
            continue
        mixed = estimates.with_mixes(tally(frame, codes, scheme.is_balanced), shape)
        counts = _counts(frame, rows, codes, ids)
        found = _kpi(mixed, kpi)
        for name, (estimate, _) in found.items():
            sheet.add(kpi, name, estimate, counts, mixed.rows_count, simulated, mixed.clusters)
        most = Counts(*(np.maximum(a, b) for a, b in zip(most, counts, strict=True)))
        rows_most = np.maximum(rows_most, mixed.rows_count)
        for target, holds in _by_technology(scheme, kpi, groups):
            if kpi not in weights:
                continue
            centres = SCALES[kpi].centres
            name = next(iter(target.values))
            parts = (
                _score_mean(found[name], target, name, scheme)
                if name in ("share", "mean")
                else _score_percentiles(mixed, centres, found, target, scheme)
            )
            known = holds & (parts.weight > 0)
            scale = np.where(known, weights[kpi] / np.where(parts.weight > 0, parts.weight, 1.0), 0.0)
            whole = Parts(
                whole.total + parts.total * scale,
                whole.weight + np.where(known, weights[kpi], 0.0),
                whole.influence.plus(parts.influence.scaled(scale)),
            )
            freedom = np.where(known, np.minimum(freedom, mixed.clusters), freedom)
            own = Parts(parts.total * scale / weights[kpi], known.astype(float), _nothing(groups))
            points = np.where(known, own.total, np.nan)
            blank = np.full(groups, np.nan)
            sheet.add(
                kpi, SCORE, Estimate(points, blank, blank, blank), counts, mixed.rows_count, simulated, mixed.clusters,
                keep=known,
            )  # fmt: skip
    enough = whole.weight >= possible * scheme.thresholds.minimum_of(scheme.scope).weight
    scale = np.where(enough, 1 / np.where(whole.weight > 0, whole.weight, 1.0), 0.0)
    scored = Parts(whole.total * scale, np.where(enough, whole.weight, 0.0), whole.influence.scaled(scale))
    scored = _mix_technologies(scored, rows_most, shape[2])
    slots = shape[2] + 1
    by_technology = np.where(scored.weight > 0, freedom, np.inf).reshape(-1, slots)
    by_technology[:, -1] = by_technology[:, :-1].min(1)
    freedom = np.where(np.isinf(by_technology), 0, by_technology).ravel()
    estimate, error = _as_estimate(scored, freedom)
    every = np.ones(groups, bool)
    sheet.add(SCORE, SCORE, estimate, most, rows_most, simulated, freedom, error, keep=every)
    measured = np.full(groups, np.nan)
    weighed = Estimate(np.where(scored.weight > 0, scored.weight / possible, np.nan), measured, measured, measured)
    sheet.add(SCORE, "weight", weighed, most, rows_most, simulated, freedom, keep=scored.weight > 0)
    return sheet.frame()
