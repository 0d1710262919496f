"""The KPIs, one row each. Maps, ratings, dashboards, metrics and documents read this table."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Better(StrEnum):
    """Which way is good."""

    HIGHER = "higher"
    LOWER = "lower"


class Kpi(NamedTuple):
    """One KPI: where it stands in the archive, and how to show it.

    `scale` turns the column's unit into `shown_unit`; `is_log` says that ratios, not differences, matter.
    `column` is empty for shares and ratios that are counted over records.
    """

    id: str
    column: str
    unit: str
    shown_unit: str
    scale: float
    better: Better
    is_log: bool
    digits: int
    title_en: str
    title_vi: str


KPIS: tuple[Kpi, ...] = (
    Kpi("downlink", "throughput_downlink_goodput_bps", "bit/s", "Mbit/s", 1e-6, Better.HIGHER, True, 1, "Downlink speed", "Tốc độ tải xuống"),
    Kpi("uplink", "throughput_uplink_goodput_bps", "bit/s", "Mbit/s", 1e-6, Better.HIGHER, True, 1, "Uplink speed", "Tốc độ tải lên"),
    Kpi("latency", "latency_idle_rtt_median_ms", "ms", "ms", 1, Better.LOWER, True, 1, "Latency", "Độ trễ"),
    Kpi("loaded_latency", "latency_downlink_rtt_median_ms", "ms", "ms", 1, Better.LOWER, True, 1, "Latency under load", "Độ trễ khi tải"),
    Kpi("jitter", "latency_idle_ipdv_mean_ms", "ms", "ms", 1, Better.LOWER, True, 1, "Jitter", "Độ biến thiên trễ"),
    Kpi("loss", "latency_idle_loss_ratio", "ratio", "%", 100, Better.LOWER, True, 2, "Packet loss", "Tỷ lệ mất gói"),
    Kpi("responsiveness", "responsiveness_downlink_rpm", "1/min", "RPM", 1, Better.HIGHER, True, 0, "Responsiveness", "Độ đáp ứng"),
    Kpi("access_delay", "access_connect_ms", "ms", "ms", 1, Better.LOWER, True, 0, "Access delay", "Trễ truy nhập"),
    Kpi("access_failure", "", "ratio", "%", 100, Better.LOWER, False, 2, "Access failure", "Truy nhập không thành công"),
    Kpi("drop", "", "ratio", "%", 100, Better.LOWER, False, 2, "Dropped transfers", "Truyền tải bị rơi"),
    Kpi("floor_share", "", "ratio", "%", 100, Better.HIGHER, False, 1, "Share at or above the floor", "Tỷ lệ mẫu đạt tốc độ tối thiểu"),
    Kpi("coverage_share", "", "ratio", "%", 100, Better.HIGHER, False, 1, "Covered share", "Tỷ lệ có phủ sóng"),
    Kpi("rsrp", "radio_rsrp_dbm", "dBm", "dBm", 1, Better.HIGHER, False, 0, "Signal strength (RSRP)", "Cường độ tín hiệu (RSRP)"),
    Kpi("rsrq", "radio_rsrq_db", "dB", "dB", 1, Better.HIGHER, False, 1, "Signal quality (RSRQ)", "Chất lượng tín hiệu (RSRQ)"),
    Kpi("sinr", "radio_sinr_db", "dB", "dB", 1, Better.HIGHER, False, 1, "Signal to noise (SINR)", "Tỷ số tín hiệu trên nhiễu (SINR)"),
)  # fmt: skip
"""`radio_*` without a leg means the rated leg's column (`measurement.radio.rated_leg`)."""

BY_ID: dict[str, Kpi] = {kpi.id: kpi for kpi in KPIS}
"""Each KPI by its id."""
