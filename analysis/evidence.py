"""Whether a figure is rated, provisional or insufficient, and how many more tests it needs."""

from __future__ import annotations

import polars as pl

from analysis.quantisation import SHARES
from analysis.results import INSUFFICIENT, PROVISIONAL, RATED
from analysis.thresholds import Minimum
from measurement.kpi import KPIS

_LOG = [kpi.id for kpi in KPIS if kpi.is_log]


def _excess(minimum: Minimum) -> pl.Expr:
    """Return half-width of the interval over the widest that is rated; null where there is no interval."""
    half = (pl.col("high") - pl.col("low")) / 2
    return (
        pl.when(pl.col("kpi").is_in(_LOG))
        .then(half / pl.col("value").abs() / minimum.interval)
        .when(pl.col("kpi").is_in(SHARES))
        .then(half / minimum.interval_share)
        .when(pl.col("kpi") == "score")
        .then(half / minimum.interval_score)
        .otherwise(half / minimum.interval_level)
    )


def judge_evidence(frame: pl.DataFrame, minimum: Minimum, counted: str) -> pl.DataFrame:
    """Add `status` and `needed_count`.

    Parameters
    ----------
    frame
        Long rows with kpi, value, low, high, devices_count, days_count and the counted
        column.
    minimum
        Evidence minimum of the scope.
    counted
        Column that the minimum counts: rows_count (device-days) or samples_count.
    """
    n = pl.col(counted)
    days = pl.col("days_count") if minimum.days > 1 else pl.lit(minimum.days)
    missing = pl.max_horizontal(
        minimum.samples - n, minimum.devices - pl.col("devices_count"), minimum.days - days, pl.lit(0)
    )
    excess = _excess(minimum).fill_nan(None)
    # A half-width shrinks with the root of the count: (excess**2 - 1) times as many again bring it down to size.
    for_interval = (n * (excess.clip(0, 30) ** 2 - 1)).clip(0).ceil().fill_null(0)
    for_rating = pl.max_horizontal((minimum.rated or 0) - n, for_interval)
    is_exempt = pl.col("statistic").is_in(("weight",)) | ((pl.col("statistic") == "score") & (pl.col("kpi") != "score"))
    needed = pl.max_horizontal(missing, pl.when(is_exempt).then(0).otherwise(for_rating))
    return (
        frame.with_columns(needed.cast(pl.Int64).alias("needed_count"), missing.alias("missing"))
        .with_columns(
            pl.when((pl.col("missing") > 0) | pl.col("value").is_null() | pl.col("value").is_nan())
            .then(pl.lit(INSUFFICIENT))
            .when(pl.col("needed_count") > 0)
            .then(pl.lit(PROVISIONAL))
            .otherwise(pl.lit(RATED))
            .alias("status")
        )
        .drop("missing")
    )
