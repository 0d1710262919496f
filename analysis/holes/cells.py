"""Which cells fail: an exact binomial test on collapsed tests, with rules of time and spread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import binom

from analysis.degraded.confirm import discoveries
from analysis.partition import parent_cell
from analysis.thresholds import Thresholds

Floats = npt.NDArray[np.float64]

RESOLUTION = 8
"""Cells that are tested: 0.7 km², about the reach of a site in a city. Sub-cells of resolution 10 are 120 m across."""
LEVEL = 0.10
"""p0: a place where one test in ten fails is still served (docs/coverage.md, holes; evidence D)."""
ALPHA = 0.05
FAILURES = 5
APART_HOURS = 4
SUBCELLS = 3
DEVICES = 2
"""A hole is seen by more than one device: one alone may be broken."""
_LOST = ("no_service", "attach_rejected")


def judged(rows: pl.DataFrame, limits: Thresholds) -> pl.DataFrame:
    """Return located records with `failed`: no service, access failed, or RSRP below what counts as covered.

    A test without service counts against the class `4g`, the layer that must be everywhere.
    """
    covered = pl.col("technology").replace_strict(limits.covered_dbm, default=None, return_dtype=pl.Float64)
    weak = (pl.col("rsrp") < covered).fill_null(False)
    lost = pl.col("outcome_failure").is_in(_LOST).fill_null(False)
    refused = (pl.col("access_failure") > 0).fill_null(False)
    known = pl.col("rsrp").is_not_null() | pl.col("access_failure").is_not_null() | lost
    return rows.filter(known).with_columns((weak | lost | refused).alias("failed"))


def collapse(rows: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Count each device once a sub-cell and hour of a day: a phone that stands in a hole is one witness."""
    local = pl.col("started_at").dt.convert_time_zone(zone)
    cell = parent_cell(rows["h3_cell"].to_numpy(), RESOLUTION).astype(np.int64)
    return (
        rows.with_columns(
            pl.Series("cell", cell),
            local.dt.hour().cast(pl.Int64).alias("hour_of_day"),
            local.dt.truncate("1h").alias("slot"),
        )
        .group_by("operator", "technology", "cell", "h3_cell", "probe_id", "slot", "hour_of_day")
        .agg((pl.col("failed").mean() > 0.5).alias("failed"), pl.col("is_simulated").any(), pl.len().alias("records"))
    )


def _apart(hours: list[int]) -> bool:
    """Tell whether two hours of day lie far enough apart, around the clock.

    Examples
    --------
    >>> _apart([23, 1]), _apart([8, 13])
    (False, True)
    """
    seen = sorted(set(hours))
    return any(min((b - a) % 24, (a - b) % 24) >= APART_HOURS for a in seen for b in seen)


def failing(collapsed: pl.DataFrame) -> pl.DataFrame:
    """Return the cells that fail, one row an operator, technology and cell.

    Parameters
    ----------
    collapsed
        Rows of `collapse`.
    """
    counted = collapsed.group_by("operator", "technology", "cell").agg(
        pl.len().alias("tests"),
        pl.col("failed").sum().alias("failures"),
        pl.col("h3_cell").filter(pl.col("failed")).n_unique().alias("subcells_count"),
        pl.col("probe_id").filter(pl.col("failed")).n_unique().alias("devices"),
        pl.col("hour_of_day").filter(pl.col("failed")).unique().alias("hours"),
        pl.col("is_simulated").any(),
    )
    p = binom.sf(counted["failures"].to_numpy() - 1, counted["tests"].to_numpy(), LEVEL)
    tried = counted.with_columns(pl.Series("p_value", p), pl.Series("q_value", discoveries(p, counted.height)))
    enough = tried.filter(
        (pl.col("p_value") < ALPHA)
        & (pl.col("q_value") < ALPHA)
        & (pl.col("failures") >= FAILURES)
        & (pl.col("subcells_count") >= SUBCELLS)
        & (pl.col("devices") >= DEVICES)
    )
    apart = [_apart(hours) for hours in enough["hours"].to_list()]
    return enough.filter(pl.Series(apart, dtype=pl.Boolean))
