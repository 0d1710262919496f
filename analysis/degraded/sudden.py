"""Sudden falls: Page's test over single tests, for what cannot wait for thirty of them.

A test's KPIs are one log likelihood ratio, of a fall of them all against none, by how tests of the last days really
scattered and agreed. Its sum rises by one and a half a test where rates fell by 40 %, by three where latency rose too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.degraded.judged import KEYS, Judged, Key, column_of

Floats = npt.NDArray[np.float64]

SOUGHT = {"downlink": 0.35, "uplink": 0.35, "latency": 0.15}
"""Falls that the sums are tuned to: a fall of the rates of 40 % is surely found, one of 20 % late."""
WAYS = (("downlink", "uplink"), ("downlink", "uplink", "latency"))
"""Rates alone, and rates with the latency that often comes with it."""
SPAN = timedelta(hours=3)
"""A fall that was not sudden is left to the hours of `cusum`."""
A_MONTH = 0.5
"""False alarms a month, over everything that is watched, that the limit is for."""
RUN = 5.0
"""Healthy tests between two false alarms over e^limit: docs/degradation.md has the table of run lengths."""
TESTS, DEVICES = 6, 5
"""Fewest since the fall began."""
_HELD = 3.0
REFERENCE = timedelta(days=2)
_FEWEST = 200
"""Tests of the reference below which nothing is known of their scatter."""


class Sudden(NamedTuple):
    """A stream whose sum is over the limit, the start of the first test of the fall, and the height."""

    area: str
    operator: str
    technology: str
    since: datetime
    height: float


def _spread(values: Floats) -> float:
    """Return the deviation by the middle nine tenths: a fall somewhere in the city does not widen it."""
    low, high = np.quantile(values, [0.05, 0.95])
    return max(float(high - low) / 3.29, 1.0)


def limit(tests_a_month: float) -> float:
    """Return the height from which a fall is told: the more tests are watched, the more a fall must show.

    Examples
    --------
    >>> round(limit(300_000), 1), round(limit(3_000_000), 1)
    (11.7, 14.0)
    """
    return float(np.log(max(tests_a_month, 1e5) / (RUN * A_MONTH)))


def standards(judged: Judged, span: timedelta = REFERENCE) -> pl.DataFrame | None:
    """Return the tests of the last days with each KPI's score and the score that is sought; None below 200 tests.

    Parameters
    ----------
    judged
        Tests with residuals until now.
    span
        How far back.
    """
    tests = judged.recent(span)
    for kpi, share in SOUGHT.items():
        if f"residual_{kpi}" not in tests.columns:
            continue
        deviation = tests[f"deviation_{kpi}"].to_numpy()
        z = np.clip(tests[f"residual_{kpi}"].to_numpy() / deviation, -_HELD, _HELD)
        if np.isfinite(z).sum() >= _FEWEST:
            spread = _spread(z[np.isfinite(z)])
            gap = -float(np.log(1 - share)) / (deviation * spread)
            tests = tests.with_columns(pl.Series(f"z_{kpi}", z / spread), pl.Series(f"gap_{kpi}", gap))
    return tests if any(f"z_{kpi}" in tests.columns for kpi in SOUGHT) else None


def _agreement(z: Floats) -> Floats:
    """Return the correlations of the KPIs of a test, none below 0: what they share is not evidence twice."""
    whole = z[~np.isnan(z).any(axis=1)]
    if z.shape[1] == 1:
        return np.ones((1, 1))
    if len(whole) < _FEWEST:
        return np.full((z.shape[1], z.shape[1]), 0.5) + 0.5 * np.eye(z.shape[1])
    return np.asarray(np.clip(np.corrcoef(whole.T), 0.0, 0.95) + 0.0)


def scores(tests: pl.DataFrame, way: Sequence[str]) -> pl.DataFrame:
    """Return the tests with `score`, standard normal where nothing fell, and `gap`, what the fall sought takes from it.

    Parameters
    ----------
    tests
        Result of `standards`.
    way
        KPIs that are looked at together.
    """
    kpis = [kpi for kpi in way if f"z_{kpi}" in tests.columns]
    z = tests.select(f"z_{kpi}" for kpi in kpis).to_numpy()
    gap = tests.select(f"gap_{kpi}" for kpi in kpis).to_numpy()
    agreement = _agreement(z)
    score, sought = np.zeros(len(z)), np.zeros(len(z))
    seen = ~np.isnan(z)
    for pattern in np.unique(seen, axis=0):
        rows = (seen == pattern).all(axis=1)
        if pattern.any():
            weight = gap[rows][:, pattern] @ np.linalg.inv(agreement[np.ix_(pattern, pattern)])
            sought[rows] = np.sqrt((weight * gap[rows][:, pattern]).sum(axis=1))
            score[rows] = (weight * z[rows][:, pattern]).sum(axis=1) / sought[rows]
    return tests.with_columns(pl.Series("score", score), pl.Series("gap", sought)).filter(pl.col("gap") > 0)


def scatter(tests: pl.DataFrame) -> float:
    """Return by how much hours of a stream scatter more than their tests would alone."""
    hours = (
        tests.group_by(*KEYS, pl.col("started_at").dt.truncate("1h"))
        .agg(pl.col("score").sum().alias("total"), pl.len().alias("count"))
        .filter(pl.col("count") >= 4)
        .select(pl.col("total").abs() / pl.col("count").cast(pl.Float64).sqrt())
        .to_series()
    )
    middle = hours.median()
    return max(float(middle) / 0.6745, 1.0) if isinstance(middle, float) and len(hours) >= 50 else 1.0


def ratios(tests: pl.DataFrame, wider: float, block: pl.Expr | None = None) -> pl.DataFrame:
    """Return the tests of each stream in order of time with the log likelihood ratio of a fall.

    The k-th test of a device counts one over the root of k: ten tests of one phone are not ten witnesses.

    Parameters
    ----------
    tests
        Result of `scores` with the column `area`.
    wider
        By how much hours scatter more than their tests would (`scatter`).
    block
        Of what a device's tests are numbered anew; all of them are one block without it.
    """
    order = tests.sort(*KEYS, "started_at")
    score, gap = pl.col("score") / wider, pl.col("gap") / wider
    nth = pl.int_range(1, pl.len() + 1).over(*KEYS, "probe_id", *([] if block is None else [block])).cast(pl.Float64)
    return order.with_columns(((-gap * score - gap**2 / 2) / nth.sqrt()).alias("ratio"))


def falls(tests: pl.DataFrame, layer: str, now: datetime, height: float, ended: Mapping[Key, datetime]) -> list[Sudden]:
    """Return the streams of a layer that fell suddenly.

    Parameters
    ----------
    tests
        Result of `scores`.
    layer
        Key of a layer of areas, `base_stations` or `operators`.
    now
        Time of the look.
    height
        Height of the sum from which a fall is told (`limit`).
    ended
        When the last event of a stream (area, operator, technology) ended: what was before is over.
    """
    column = column_of(layer)
    named = tests.with_columns((pl.col(column) if column else pl.lit("*")).alias("area")).drop_nulls("area")
    recent = named.filter(pl.col("started_at") > now - SPAN)
    for key, at in ended.items():
        if at > now - SPAN:
            same = pl.all_horizontal(pl.col(name) == value for name, value in zip(KEYS, key, strict=True))
            recent = recent.filter(~(same & (pl.col("started_at") < at)))
    if recent.is_empty():
        return []
    summed = ratios(recent, scatter(named)).with_columns(pl.col("ratio").cum_sum().over(*KEYS).alias("sum"))
    lowest = pl.min_horizontal(pl.lit(0.0), pl.col("sum").min()).over(*KEYS)
    place = pl.int_range(pl.len())
    # What comes after the sum stood lowest; everything where it never fell below its start.
    began = pl.when(pl.col("sum") <= pl.col("lowest")).then(place).max().fill_null(-1)
    after = summed.with_columns(lowest.alias("lowest")).filter((place > began).over(*KEYS))
    device = pl.col("ratio").sum().over(*KEYS, "probe_id")
    found = (
        after.with_columns(device.alias("device"))
        .group_by(*KEYS, maintain_order=True)
        .agg(
            pl.col("started_at").first().alias("since"),
            (pl.col("sum").last() - pl.col("lowest").first()).alias("height"),
            pl.len().alias("tests"),
            pl.col("probe_id").n_unique().alias("devices"),
            pl.col("device").max(),
        )
        .filter(
            (pl.col("height") > height)
            & (pl.col("tests") >= TESTS)
            & (pl.col("devices") >= DEVICES)
            # It stands without its loudest device.
            & (pl.col("height") - pl.col("device") > height / 2)
        )
    )
    return [Sudden(*row) for row in found.select(*KEYS, "since", "height").iter_rows()]
