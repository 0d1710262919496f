"""What changed in each area since the month before, from the ratings of the two months and their intervals.

The interval of a difference is recovered from the intervals of its two ends (MOVER: Zou and Donner 2008; for shares it
is Newcombe's method 10). Devices that measured in both months make the two ends alike, so that it is rather too wide
than too narrow. A thousand areas compared at 95 % show fifty changes where there are none. So each family (one layer,
operator, technology, KPI) is judged together: a change is told where its interval leaves out no change at all, and its
q-value after Benjamini and Hochberg (1995) is at most 5 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import false_discovery_control, norm

from analysis import results
from analysis.compare import BETTER, SAME, WORSE
from measurement.kpi import BY_ID, Better

Floats = npt.NDArray[np.float64]

SCORE = "score"
STATISTICS = {
    SCORE: "score",
    "downlink": "median",
    "uplink": "median",
    "latency": "median",
    "access_failure": "share",
    "floor_share": "share",
    "rsrp": "median",
}
"""KPIs whose change is told, by the figure that stands for them."""

LEAST_TESTS = 30
Q_TOLD = 0.05
_Z = float(norm.ppf(0.975))
_GROUP = ("layer", "area", "operator", "technology", "kpi")


class Spread(NamedTuple):
    """A difference with its interval and the p-value that goes with it, arrays of equal length."""

    change: Floats
    low: Floats
    high: Floats
    p_value: Floats


def two_months(periods: Iterable[str], month: str | None = None) -> tuple[str, str] | None:
    """Return the newest month (or `month`) and the one with figures before it.

    Examples
    --------
    >>> two_months(['2026-04', '2026-05', '2026-07', 'all'])
    ('2026-05', '2026-07')
    """
    months = sorted({period for period in periods if period[:1].isdigit()})
    later = month or (months[-1] if months else None)
    before = [each for each in months if later is not None and each < later]
    return (before[-1], later) if before and later in months else None


def spread(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> Spread:
    """Return second minus first with its 95 % interval.

    Parameters
    ----------
    first, second
        Shape (3, n): value, low, high of each end.

    Examples
    --------
    >>> found = spread(np.array([[10.0], [9.0], [11.0]]), np.array([[13.0], [12.0], [14.0]]))
    >>> found.low.round(2).tolist(), found.high.round(2).tolist(), bool(found.p_value < 0.001)
    ([1.59], [4.41], True)
    """
    (v1, l1, u1), (v2, l2, u2) = first, second
    change = v2 - v1
    low, high = change - np.hypot(v2 - l2, u1 - v1), change + np.hypot(u2 - v2, v1 - l1)
    to_nothing = np.where(change > 0, change - low, high - change)  # the half that decides
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = 2 * norm.sf(_Z * np.abs(change) / to_nothing)
    return Spread(change, low, high, np.where(np.isfinite(p_value), p_value, 1.0))


def _judged(rows: pl.DataFrame, kpi: str) -> pl.DataFrame:
    """Add the difference of one KPI: a ratio where its scale is logarithmic and nothing is nought."""
    first, second = (
        rows.select(f"{figure}{side}" for figure in ("value", "low", "high")).to_numpy().T.astype(np.float64)
        for side in ("", "_later")
    )
    is_ratio = kpi != SCORE and BY_ID[kpi].is_log and bool((first[:2] > 0).all() and (second[:2] > 0).all())
    found = spread(*(np.log(end) if is_ratio else end for end in (first, second)))
    change, low, high = (np.exp(end) if is_ratio else end for end in found[:3])
    up, down = (BETTER, WORSE) if kpi == SCORE or BY_ID[kpi].better is Better.HIGHER else (WORSE, BETTER)
    neutral = 1.0 if is_ratio else 0.0
    verdict = np.where(low > neutral, up, np.where(high < neutral, down, SAME))
    columns = {"change": change, "low": low, "high": high, "p_value": found.p_value, "verdict": verdict}
    return rows.drop("low", "high", "low_later", "high_later").with_columns(
        *(pl.Series(name, column) for name, column in columns.items()), pl.lit(is_ratio).alias("is_ratio")
    )


def told(rows: pl.DataFrame) -> pl.DataFrame:
    """Judge each family together: a difference that is not told apart from chance becomes no difference.

    Examples
    --------
    >>> one = dict(layer='l', operator='*', technology='*', kpi='rsrp', verdict='better')
    >>> rows = [one | dict(area=area, p_value=p) for area, p in (('a', 1e-6), ('b', 0.04), ('c', 0.6))]
    >>> [row['verdict'] for row in told(pl.DataFrame(rows)).to_dicts()]
    ['better', 'no difference shown', 'no difference shown']
    """
    families = [
        family.with_columns(pl.Series("q_value", false_discovery_control(family["p_value"].to_numpy())))
        for family in rows.partition_by("layer", "operator", "technology", "kpi", maintain_order=True)
    ]
    is_clear = pl.col("q_value") <= Q_TOLD
    return pl.concat(families).with_columns(pl.when(is_clear).then("verdict").otherwise(pl.lit(SAME)).alias("verdict"))


def changes(ratings: pl.DataFrame, month: str | None = None) -> pl.DataFrame:
    """Return the table `changes` of `area_ratings`: the newest month (or `month`) against the one before it.

    Empty without two rated months.
    """
    months = two_months(ratings["period"].unique(), month)
    if months is None:
        return pl.DataFrame(schema=results.schema("changes"))
    statistic = pl.col("kpi").replace_strict(STATISTICS, default=None, return_dtype=pl.String)
    known = ratings.filter(
        (pl.col("statistic") == statistic)
        & pl.col("value").is_not_null()
        & pl.col("low").is_not_null()
        & pl.col("high").is_not_null()
        & (pl.col("samples_count") >= LEAST_TESTS)
    ).select(*_GROUP, "period", "value", "low", "high", "samples_count", "is_simulated")
    before, after = (known.filter(pl.col("period") == each).drop("period") for each in months)
    both = before.join(after, on=_GROUP, suffix="_later", maintain_order="left")
    judged = [_judged(rows, str(kpi)) for (kpi,), rows in both.partition_by("kpi", as_dict=True).items()]
    if not judged:
        return pl.DataFrame(schema=results.schema("changes"))
    named = told(pl.concat(judged)).select(
        "layer", "area", "operator", "technology",
        pl.lit(months[0]).alias("before"), pl.lit(months[1]).alias("period"),
        "kpi", pl.col("value").alias("first"), pl.col("value_later").alias("second"),
        "change", "low", "high", "is_ratio", "p_value", "q_value", "verdict",
        pl.col("samples_count").alias("first_tests"), pl.col("samples_count_later").alias("second_tests"),
        (pl.col("is_simulated") | pl.col("is_simulated_later")).alias("is_simulated"),
    )  # fmt: skip
    return results.shape("changes", named).sort("layer", "operator", "technology", "kpi", "area")
