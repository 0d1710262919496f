"""Latency and throughput of G-NetTrack rows: from its active tests, else from the bitrates of a saturated log."""

from __future__ import annotations

import polars as pl

from analysis.importers.account import Account
from analysis.importers.options import Options
from analysis.importers.ranges import column_range, within
from measurement.vocabulary import LatencyMethod, ThroughputMethod

WINDOW_S = 10  # as long as a fixed test: long enough to average the scheduler's bursts, short against a drive


def with_results(frame: pl.DataFrame, options: Options, account: Account) -> pl.DataFrame:
    """Add latency and throughput, from tests where there are some, else from a saturated log's bitrates."""
    kbps = {"downlink": "test_downlink_kbps", "uplink": "test_uplink_kbps"}
    if options.saturated is not None:
        frame = _windows(frame)
        kbps = {"downlink": "window_downlink_kbps", "uplink": "test_uplink_kbps"}
    loss = pl.col("ping_loss").cast(pl.Float64, strict=False) / 100
    frame = frame.with_columns(
        *(
            (pl.col(column).cast(pl.Float64, strict=False) * 1000).alias(f"throughput_{direction}_goodput_bps")
            for direction, column in kbps.items()
        ),
        latency_idle_rtt_mean_ms=pl.col("ping_mean").cast(pl.Float64, strict=False),
        latency_idle_rtt_min_ms=pl.col("ping_min").cast(pl.Float64, strict=False),
        latency_idle_loss_ratio=loss,
    )
    measured = ("latency_idle_rtt_mean_ms", "latency_idle_rtt_min_ms", "latency_idle_loss_ratio")
    goodputs = tuple(f"throughput_{direction}_goodput_bps" for direction in kbps)
    for name in (*measured, *goodputs):
        frame = within(frame, name, column_range(name), account, name)
    has_ping = pl.any_horizontal(pl.col(name).is_not_null() for name in measured)
    return frame.with_columns(
        pl.when(has_ping).then(pl.lit(LatencyMethod.ICMP.value)).alias("latency_idle_method"),
        *(
            pl.when(pl.col(name).is_not_null())
            .then(pl.lit(ThroughputMethod.GNETTRACK.value))
            .alias(name.replace("goodput_bps", "method"))
            for name in goodputs
        ),
    )


def _windows(frame: pl.DataFrame) -> pl.DataFrame:
    """Put the mean bitrate of each ten seconds of data transfer on the middle row of its window."""
    busy = (
        pl.col("is_saturated")
        & pl.col("state").str.contains("D").fill_null(False)
        & pl.col("downlink_kbps").is_not_null()
    )
    seconds = pl.col("started_at").dt.epoch("s")
    frame = frame.with_row_index("row").with_columns(busy=busy)
    run = (
        (seconds.diff().fill_null(0).abs() > 3)
        | (pl.col("busy") != pl.col("busy").shift(1)).fill_null(True)
        | (pl.col("source") != pl.col("source").shift(1)).fill_null(True)
    ).cum_sum()
    rows = frame.filter("busy").with_columns(
        run=run, second=seconds, kbps=pl.col("downlink_kbps").cast(pl.Float64, strict=False)
    )
    windows = (
        rows.with_columns(window=(pl.col("second") - pl.col("second").min().over("run")) // WINDOW_S)
        .group_by("run", "window", maintain_order=True)
        .agg(
            pl.col("kbps").mean(),
            pl.col("row").get(pl.len() // 2),
            (pl.col("second").max() - pl.col("second").min()).alias("length"),
        )
        .filter((pl.col("length") >= WINDOW_S - 3) & (pl.col("kbps") > 0))
    )
    return frame.join(
        windows.select("row", window_downlink_kbps="kbps"), on="row", how="left", maintain_order="left"
    ).drop("row", "busy")
