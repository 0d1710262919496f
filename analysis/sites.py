"""Fixed probes at offices: how available each line was, its outages, and how many offices are connected."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import results
from measurement.columns import area_column

COLUMNS = (
    "probe_id", "organisation", "started_at", "is_simulated", "outcome_status", "outcome_failure", "position_source",
    "network_operator", "network_technology", "throughput_downlink_goodput_bps", "throughput_uplink_goodput_bps",
    "latency_idle_rtt_median_ms",
)  # fmt: skip

SILENT_INTERVALS = 3.0
"""A gap beyond this many usual intervals is silence: probe, power or line, nobody knows (docs/rating.md, sites; D)."""

CONNECTED_S = 86_400.0
"""An office is connected where a test came through this long before the archive's last one (evidence D)."""

_NOT_LINE = ("interrupted", "permission_denied", "method_unavailable", "server_busy")


class Outages(NamedTuple):
    """What a line's tests say of its outages. Seconds, and the number of runs of failed tests."""

    down_s: float  # best guess
    least_s: float  # surely
    most_s: float  # at most
    outages_count: int
    longest_s: float
    silent_s: float


def outages(at: npt.NDArray[np.float64], is_up: npt.NDArray[np.bool_], usual_s: float) -> Outages:
    """Return how long a line was down, and within what bounds.

    Between two failed tests it was down. Between a good and a failed one nobody saw when it broke or came back: none of
    that gap is sure, all of it possible, and half of it, of a usual interval at most, is the guess. Silence is silence.

    Parameters
    ----------
    at
        Starts of the tests in seconds, ascending.
    is_up
        Whether each came through.
    usual_s
        Usual interval between tests.

    Examples
    --------
    >>> outages(np.arange(5.0) * 60, np.array([True, False, False, True, True]), 60.0)
    Outages(down_s=120.0, least_s=60.0, most_s=180.0, outages_count=1, longest_s=120.0, silent_s=0.0)
    """
    gap = np.diff(at)
    silent = gap > SILENT_INTERVALS * usual_s
    failed = ~is_up[:-1] & ~is_up[1:] & ~silent
    edge = (is_up[:-1] != is_up[1:]) & ~silent
    guess = np.where(failed, gap, np.where(edge, np.minimum(gap, usual_s) / 2, 0.0))
    starts = ~is_up & np.concatenate(([True], is_up[:-1]))
    # The gap before an outage's first failed test is the outage's, and every one until the next outage's.
    run = np.cumsum(starts)[1:]
    lengths = np.bincount(run, guess) if len(gap) else np.zeros(1)
    least = float(gap[failed].sum())
    return Outages(
        float(guess.sum()), least, least + float(gap[edge].sum()), int(starts.sum()), float(lengths.max(initial=0.0)),
        float(gap[silent].sum()),
    )  # fmt: skip


def fixed_tests(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the tests of fixed probes that say something of the line."""
    failure = pl.col("outcome_failure").is_in(_NOT_LINE).fill_null(False)
    return frame.filter((pl.col("position_source") == "fixed") & ~failure)


def sites(tests: pl.DataFrame, layer: str | None) -> pl.DataFrame:
    """Return the `sites` table from the tests of fixed probes."""
    if tests.is_empty():
        return pl.DataFrame(schema=results.schema("sites"))
    last = float(tests["started_at"].dt.timestamp("us").to_numpy().max()) / 1e6
    area = pl.col(area_column(layer)) if layer else pl.lit(None, pl.String)
    ordered = tests.sort("probe_id", "started_at").with_columns(
        area.alias("area"), (pl.col("outcome_status") != "failed").alias("is_up")
    )
    rows = []
    for (probe,), own in ordered.group_by("probe_id", maintain_order=True):
        at = own["started_at"].dt.timestamp("us").to_numpy() / 1e6
        usual = float(np.median(np.diff(at))) if len(at) > 1 else 0.0
        is_up = own["is_up"].to_numpy()
        found = outages(at, is_up, usual)
        seen = at[-1] - at[0] - found.silent_s

        def available(down_s: float, seen: float = seen, alone: bool = bool(is_up[0])) -> float:
            return 1 - down_s / seen if seen > 0 else float(alone)

        good = float(at[is_up].max()) if is_up.any() else -np.inf
        rows.append(
            {
                "probe_id": probe,
                "layer": layer,
                "availability": available(found.down_s),
                "availability_low": available(found.most_s),
                "availability_high": available(found.least_s),
                "outages_count": found.outages_count,
                "longest_outage_s": found.longest_s,
                "silent_s": found.silent_s,
                "is_connected": last - good <= CONNECTED_S,
            }
        )
    common = ordered.group_by("probe_id", maintain_order=True).agg(
        *(pl.col(name).drop_nulls().mode().sort().first() for name in ("organisation", "area")),
        pl.col("network_operator").drop_nulls().mode().sort().first().alias("operator"),
        pl.col("network_technology").drop_nulls().mode().sort().first().alias("technology"),
        pl.col("started_at").first().dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("first_seen"),
        pl.col("started_at").last().dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("last_seen"),
        pl.len().alias("tests_count"),
        (~pl.col("is_up")).sum().alias("failed_count"),
        pl.col("throughput_downlink_goodput_bps").median().alias("downlink_median_bps"),
        pl.col("throughput_uplink_goodput_bps").median().alias("uplink_median_bps"),
        pl.col("latency_idle_rtt_median_ms").median().alias("latency_median_ms"),
        pl.col("is_simulated").any(),
    )
    return results.shape("sites", common.join(pl.DataFrame(rows), on="probe_id"))
