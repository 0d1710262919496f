"""Verdicts of limits on rated figures: a failed limit caps the grade."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis.thresholds import Limit, Thresholds

PASS, FAIL, INDETERMINATE = "PASS", "FAIL", "INDETERMINATE"


def verdict(limit: Limit) -> pl.Expr:
    """Return the verdict of a limit by the interval: PASS and FAIL only where all of it lies on one side."""
    low, high = pl.col("low"), pl.col("high")
    enough = pl.col("samples_count") >= (limit.samples or 0)
    if limit.at_least is not None:
        passed, failed = low >= limit.at_least, high < limit.at_least
    else:
        passed, failed = high <= limit.at_most, low > limit.at_most
    return (
        pl.when(enough & passed.fill_null(False))
        .then(pl.lit(PASS))
        .when(enough & failed.fill_null(False))
        .then(pl.lit(FAIL))
        .otherwise(pl.lit(INDETERMINATE))
    )


def verdicts(frame: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """Return the rows that some limit speaks of, with its id, value and verdict."""
    parts = []
    for limit in thresholds.limit:
        spoken = (
            (pl.col("technology") == limit.technology)
            & (pl.col("kpi") == limit.kpi)
            & (pl.col("statistic") == limit.statistic)
        )
        parts.append(
            frame.filter(spoken & (pl.col("samples_count") > 0)).with_columns(
                pl.lit(limit.id).alias("limit_id"),
                pl.lit(limit.regulation).alias("regulation"),
                pl.lit(limit.at_least if limit.at_least is not None else limit.at_most).alias("limit"),
                pl.lit("at_least" if limit.at_least is not None else "at_most").alias("bound"),
                pl.lit(limit.evidence).alias("evidence"),
                verdict(limit).alias("verdict"),
            )
        )
    return pl.concat(parts)


def failed_limits(frame: pl.DataFrame, group: Sequence[str], thresholds: Thresholds) -> pl.DataFrame:
    """Add `is_failed`: whether a limit fails for the row's group on enough evidence."""
    spoken = verdicts(frame.with_columns(pl.col("low", "high").fill_nan(None)), thresholds)
    failed = spoken.filter((pl.col("verdict") == FAIL) & (pl.col("status") != "insufficient"))
    marked = failed.select(group).unique().with_columns(is_failed=pl.lit(True))
    return frame.join(marked, on=list(group), how="left", maintain_order="left").with_columns(
        pl.col("is_failed").fill_null(False)
    )
