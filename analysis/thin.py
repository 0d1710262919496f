"""A first rating: medians with order-statistic intervals, in polars. Replaced by the full pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import polars as pl

from analysis.intervals import order_ranks, wilson
from analysis.results import ALL, INSUFFICIENT, RATED, WHOLE
from measurement.kpi import KPIS

SHARES = ("access_failure", "drop", "floor_share", "coverage_share")
KPI_IDS = [kpi.id for kpi in KPIS]


def collapse(frame: pl.DataFrame, place: Sequence[str]) -> pl.DataFrame:
    """One row per device, place, technology, operator of one day: medians, means of shares, counts."""
    return frame.group_by("probe_id", *place, "technology", "operator", maintain_order=True).agg(
        *((pl.col(k).mean() if k in SHARES else pl.col(k).median()) for k in KPI_IDS),
        *(pl.col(k).count().alias(f"{k}_count") for k in KPI_IDS),
        pl.col("is_simulated").any(),
    )


def aggregate(collapsed: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Long rows of median (share) with interval for each key x operator x technology x period x kpi."""
    parts = []
    for operator, technology, period in product((False, True), repeat=3):
        given = [pl.lit(ALL).alias("operator")] * (not operator) + [pl.lit(ALL).alias("technology")] * (not technology)
        given += [pl.lit(WHOLE).alias("period")] * (not period)
        grouped = collapsed.with_columns(*given).group_by(
            *keys, "operator", "technology", "period", maintain_order=True
        )
        for k in KPI_IDS:
            column = pl.col(k).drop_nulls()
            parts.append(
                grouped.agg(
                    pl.lit(k).alias("kpi"),
                    (column.mean() if k in SHARES else column.median()).alias("value"),
                    column.sort().alias("sorted"),
                    pl.col(f"{k}_count").sum().alias("samples_count"),
                    pl.col("probe_id").filter(pl.col(k).is_not_null()).n_unique().alias("devices_count"),
                    pl.col("is_simulated").any(),
                )
            )
    long = pl.concat(parts, how="vertical_relaxed").filter(pl.col("samples_count") > 0)
    return _intervals(long)


def _intervals(long: pl.DataFrame) -> pl.DataFrame:
    n = long["sorted"].list.len().to_numpy().astype(np.int64)
    is_share = long["kpi"].is_in(SHARES).to_numpy()
    low_rank, high_rank = order_ranks(n, 0.5)
    lists = long.with_columns(
        pl.Series("low_rank", low_rank - 1), pl.Series("high_rank", np.minimum(high_rank, n) - 1)
    ).select(
        pl.col("sorted").list.get(pl.col("low_rank"), null_on_oob=True).alias("low"),
        pl.col("sorted").list.get(pl.col("high_rank"), null_on_oob=True).alias("high"),
    )
    share_low, share_high = wilson(long["value"].to_numpy(), np.maximum(n, 1))
    low = np.where(is_share, share_low, lists["low"].to_numpy())
    high = np.where(is_share, share_high, lists["high"].to_numpy())
    few = n < 6
    enough = (n >= 100) & (long["devices_count"].to_numpy() >= 20)
    return long.drop("sorted").with_columns(
        pl.Series("low", np.where(few, np.nan, low)).fill_nan(None),
        pl.Series("high", np.where(few, np.nan, high)).fill_nan(None),
        pl.Series("statistic", np.where(is_share, "share", "median")),
        pl.Series("effective_count", n.astype(float)),
        pl.Series("needed_count", np.maximum(100 - n, 0)),
        pl.Series("status", np.where(enough, RATED, INSUFFICIENT)),
    )
