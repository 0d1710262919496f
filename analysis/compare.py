"""Two sides of one KPI: the difference of their medians or shares, its interval, and a verdict.

Devices are drawn again, with all their tests (cluster bootstrap; Davison and Hinkley 1997, 3.8). Devices on both sides
are drawn together, so that two periods of the same panel compare as pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.intervals import MINIMUM_COUNT
from analysis.quantisation import SHARES
from measurement.kpi import BY_ID, Better

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DRAWS = 500
BETTER, WORSE, SAME, TOO_FEW = "better", "worse", "no difference shown", "insufficient"


class Side(NamedTuple):
    """Tests of one side: values, and the device and weight of each."""

    value: Floats
    device: Ints
    weight: Floats


class Difference(NamedTuple):
    """Second side against the first. Ratios for logarithmic KPIs, differences for the others."""

    first: float
    second: float
    change: float
    low: float
    high: float
    is_ratio: bool
    verdict: str


def side(observations: pl.DataFrame, kpi: str, devices: Sequence[str]) -> Side:
    """Make a side from observations: each device weighs the same, within it each of its units."""
    unit = pl.len().over("probe_id", "h3_cell", "technology", "operator", "day")
    known = observations.filter(pl.col(kpi).is_not_null()).with_columns((1 / unit).alias("share"))
    known = known.with_columns((pl.col("share") / pl.col("share").sum().over("probe_id")).alias("weight"))
    positions = {name: number for number, name in enumerate(devices)}
    device = known["probe_id"].replace_strict(positions, return_dtype=pl.Int64)
    return Side(known[kpi].to_numpy().astype(np.float64), device.to_numpy(), known["weight"].to_numpy())


def weighted_medians(value: Floats, weight: Floats, draws: npt.NDArray[np.floating[Any]]) -> Floats:
    """Return the weighted median of each draw.

    Parameters
    ----------
    value, weight
        Shape (n,).
    draws
        How often each value was drawn, shape (n, draws).

    Examples
    --------
    >>> weighted_medians(np.array([3.0, 1.0, 2.0]), np.ones(3), np.ones((3, 1))).tolist()
    [2.0]
    """
    order = np.argsort(value, kind="stable")
    below = np.cumsum(draws[order] * weight[order, None], 0, dtype=np.float64)
    position = (below < below[-1:] / 2 - 1e-12).sum(0)
    return np.asarray(value[order][np.minimum(position, len(value) - 1)])


def _figures(one: Side, times: npt.NDArray[np.float32], is_share: bool) -> Floats:
    if is_share:
        above, whole = (
            np.bincount(one.device, of, minlength=len(times)) for of in (one.value * one.weight, one.weight)
        )
        return np.asarray((above @ times) / (whole @ times))
    step = max(1, 4_000_000 // max(len(one.value), 1))  # 32 MB at a time
    parts = [
        weighted_medians(one.value, one.weight, times[:, i : i + step][one.device])
        for i in range(0, times.shape[1], step)
    ]
    return np.concatenate(parts)


def difference(first: Side, second: Side, kpi: str, rng: np.random.Generator, draws: int = DRAWS) -> Difference:
    """Compare two sides.

    Parameters
    ----------
    first, second
        Sides whose devices are numbered alike.
    kpi
        Id of the KPI.
    rng
        Draws devices; the same seed gives the same interval.
    draws
        Bootstrap replicates.

    Returns
    -------
    The change of the median (of the share) with its 95 % percentile interval; `insufficient` below six devices a side.
    """
    is_share, is_ratio = kpi in SHARES, BY_ID[kpi].is_log
    if min(len(np.unique(one.device)) for one in (first, second)) < MINIMUM_COUNT:
        return Difference(np.nan, np.nan, np.nan, np.nan, np.nan, is_ratio, TOO_FEW)
    devices = int(max(first.device.max(), second.device.max())) + 1
    times = rng.multinomial(devices, np.full(devices, 1 / devices), size=draws).T.astype(np.float32)
    plain = np.ones((devices, 1), np.float32)
    a, b = (_figures(one, times, is_share) for one in (first, second))
    whole_a, whole_b = (float(_figures(one, plain, is_share)[0]) for one in (first, second))
    is_ratio = is_ratio and whole_a > 0 and bool(np.all(a > 0))  # a ratio to nothing says nothing
    spread = b / a if is_ratio else b - a
    change = whole_b / whole_a if is_ratio else whole_b - whole_a
    low, high = np.nanpercentile(spread, [2.5, 97.5])
    neutral = 1.0 if is_ratio else 0.0
    up, down = (BETTER, WORSE) if BY_ID[kpi].better is Better.HIGHER else (WORSE, BETTER)
    verdict = up if low > neutral else down if high < neutral else SAME
    return Difference(whole_a, whole_b, float(change), float(low), float(high), is_ratio, verdict)
