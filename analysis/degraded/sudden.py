"""Sudden falls of the rates: Page's test over single tests, for what cannot wait for thirty of them.

A test's downlink and uplink are one score, standardised by how tests of the last days really scattered. The sum of log
likelihood ratios for a fall of `FALL` against none rises by about two a test where rates fell by 40 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.degraded.streams import column_of

Floats = npt.NDArray[np.float64]

RATES = ("downlink", "uplink")
SPAN = timedelta(hours=3)
"""A fall that was not sudden is left to the hours of `cusum`."""
FALL = 0.35
"""What the sum is tuned to: between the 20 % that is told and falls that nobody misses."""
LIMIT = 14.0
"""Height of the sum from which a fall is told; docs/degradation.md has the table of run lengths."""
TESTS, DEVICES = 6, 5
"""Fewest since the fall began."""
_HELD = 3.0
_REFERENCE = timedelta(days=2)
_FEWEST = 200
"""Tests of the reference below which nothing is known of their scatter."""
KEYS = ("area", "operator", "technology")


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


def _standard(frame: pl.DataFrame, kpi: str) -> pl.DataFrame:
    """Return each test's score of one KPI, and the score that a fall of `FALL` takes from it."""
    z = np.clip(frame["residual"].to_numpy() / frame["deviation"].to_numpy(), -_HELD, _HELD)
    spread = _spread(z)
    return frame.select(
        "test",
        pl.Series(f"z_{kpi}", z / spread),
        (-float(np.log(1 - FALL)) / (pl.col("deviation") * spread)).alias(f"gap_{kpi}"),
    )


def scores(judged: Mapping[str, pl.DataFrame], now: datetime) -> pl.DataFrame | None:
    """Return the tests of the last days with `score`, standard normal where nothing fell, and `gap`, the fall sought.

    Parameters
    ----------
    judged
        Judged tests (`residuals.judge`) of each of `RATES`.
    now
        Tests after it are not seen.
    """
    recent = {
        kpi: judged[kpi].filter(pl.col("started_at").is_between(now - _REFERENCE, now))
        for kpi in RATES
        if kpi in judged
    }
    recent = {kpi: frame for kpi, frame in recent.items() if frame.height >= _FEWEST}
    if not recent:
        return None
    tests = pl.concat([frame.drop("residual", "deviation") for frame in recent.values()]).unique("test")
    for kpi, frame in recent.items():
        tests = tests.join(_standard(frame, kpi), on="test", how="left")
    z = [pl.col(f"z_{kpi}") for kpi in recent]
    both = tests.select(z).drop_nulls().to_numpy()
    # What the two rates of a test share is not evidence twice.
    shared = max(float(np.corrcoef(both.T)[0, 1]), 0.0) if len(z) == 2 and len(both) >= _FEWEST else 1.0
    count = pl.sum_horizontal(part.is_not_null().cast(pl.Float64) for part in z)
    width = (count + count * (count - 1) * shared).sqrt()
    gaps = [pl.col(f"gap_{kpi}") for kpi in recent]
    return tests.with_columns(
        (pl.sum_horizontal(z) / width).alias("score"), (pl.sum_horizontal(gaps) / width).alias("gap")
    )


def _scatter(tests: pl.DataFrame) -> float:
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


def ratios(tests: pl.DataFrame, scatter: float) -> pl.DataFrame:
    """Return the tests of each stream in order of time with the log likelihood ratio of a fall.

    The k-th test of a device counts one over the root of k: ten tests of one phone are not ten witnesses.
    """
    order = tests.sort(*KEYS, "started_at")
    score, gap = pl.col("score") / scatter, pl.col("gap") / scatter
    nth = pl.int_range(1, pl.len() + 1).over(*KEYS, "probe_id").cast(pl.Float64)
    return order.with_columns(((-gap * score - gap**2 / 2) / nth.sqrt()).alias("ratio"))


def falls(tests: pl.DataFrame, layer: str, now: datetime, ended: Mapping[tuple[str, ...], datetime]) -> list[Sudden]:
    """Return the streams of a layer that fell suddenly.

    Parameters
    ----------
    tests
        Result of `scores`.
    layer
        Key of a layer of areas, `base_stations` or `operators`.
    now
        Time of the look.
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
    summed = ratios(recent, _scatter(named)).with_columns(pl.col("ratio").cum_sum().over(*KEYS).alias("sum"))
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
            (pl.col("height") > LIMIT)
            & (pl.col("tests") >= TESTS)
            & (pl.col("devices") >= DEVICES)
            # It stands without its loudest device.
            & (pl.col("height") - pl.col("device") > LIMIT / 2)
        )
    )
    return [Sudden(*row) for row in found.select(*KEYS, "since", "height").iter_rows()]
