"""Downsampling inside InfluxDB: hourly means and counts by area, operator and technology, kept for years.

The hour is aggregated again in the next run, so that records that come an hour late still count; a point of an hour
overwrites itself. Ratings never come from here: a mean of speeds is for a trend line.
"""

from __future__ import annotations

TASK_EVERY = "15m"

FLUX = """
data = from(bucket: "{fine}")
  |> range(start: -3h)
  |> filter(fn: (r) => r._measurement == "test")
  |> filter(fn: (r) => r._field == "throughput_downlink_goodput_bps"
      or r._field == "throughput_uplink_goodput_bps"
      or r._field == "latency_idle_rtt_median_ms"
      or r._field == "latency_idle_loss_ratio")
  |> drop(columns: ["probe_id", "mode"])

data
  |> aggregateWindow(every: 1h, fn: mean, createEmpty: false, timeSrc: "_start")
  |> set(key: "_measurement", value: "hour_mean")
  |> to(bucket: "{coarse}")

data
  |> aggregateWindow(every: 1h, fn: count, createEmpty: false, timeSrc: "_start")
  |> set(key: "_measurement", value: "hour_count")
  |> to(bucket: "{coarse}")
"""


def down_bucket(bucket: str) -> str:
    """Return the name of a bucket's downsampled twin."""
    return f"{bucket}-hourly"
