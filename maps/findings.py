"""Tables of findings: which columns people read, in which order. The site and the report share this table."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from analysis.results import ALL, WHOLE


class Finding(NamedTuple):
    """One table: its name in the archive, its columns (`interval` joins low and high), rows on paper, its verb."""

    table: str
    columns: tuple[str, ...]
    paper_rows: int
    command: str


FINDINGS: tuple[Finding, ...] = (
    Finding(
        "compliance", ("kind", "area", "operator", "technology", "kpi", "limit", "value", "interval", "verdict"), 45,
        "haidang-analysis compliance",
    ),
    Finding(
        "degraded", ("area", "operator", "technology", "kpi", "since", "drop_ratio", "interval", "blame"), 30,
        "haidang-analysis degraded",
    ),
    Finding(
        "holes", ("area", "operator", "technology", "area_km2", "failures", "tests", "hours", "nearest_bts_m"), 30,
        "haidang-analysis coverage",
    ),
    Finding(
        "participation", ("key", "users_count", "users_target", "samples_count", "samples_target"), 30,
        "haidang-analysis participation",
    ),
    Finding(
        "sites",
        ("probe_id", "organisation", "operator", "availability", "outages_count", "longest_outage_s",
         "is_connected", "downlink_median_bps"),
        40, "haidang-analysis sites",
    ),
    Finding(
        "plan", ("rank", "name", "operator", "technology", "hour", "tests", "minutes", "reason"), 12,
        "haidang-analysis plan",
    ),
)  # fmt: skip

WIDTHS = {
    "kind": 1.5, "area": 1.6, "kpi": 2.2, "interval": 1.5, "verdict": 1.4, "organisation": 2, "probe_id": 1.8,
    "operator": 1.4, "key": 3, "hours": 1.6, "name": 1.6, "reason": 6,
}  # fmt: skip
"""Shares of the width that columns of words take on paper; 1 for the others."""

SCALED = {
    "area_ratings": ("value", "low", "high"),
    "bts_ratings": ("value", "low", "high"),
    "hexagons": ("value", "p10"),
    "series": ("value", "low", "high"),
    "histograms": ("bin_low", "bin_high"),
    "bts_series": ("value", "low", "high"),
    "changes": ("first", "second", "change", "low", "high"),
    "bts_histograms": ("bin_low", "bin_high"),
    "compliance": ("value", "low", "high", "limit"),
    "coverage": ("mean", "threshold"),
}
"""Columns in the KPI's unit, by table: they are shown in the unit people read. Ratios of change are not among them."""


def hour_spans(hours: str) -> str:
    """Return hours of the day as spans.

    Examples
    --------
    >>> hour_spans('00,01,02,07,22,23')
    '0–2, 7, 22–23'
    """
    numbers = sorted({int(hour) for hour in hours.split(",") if hour.strip().isdigit()})
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in spans)


def worth_reading(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows people read: whole period, what still lasts, the worst first."""
    if table == "participation" and "period" in frame.columns:
        order = {"whole": 0, "organisation": 1, "area": 2}
        return (
            frame.filter(pl.col("period") == WHOLE)
            .with_columns(pl.col("scope").replace_strict(order, default=3).alias("order"))
            .sort("order", pl.col("samples_count"), descending=[False, True])
            .drop("order")
        )
    if table == "degraded" and "severity" in frame.columns:
        return frame.filter(pl.col("severity") > 0).sort("severity", "drop_ratio", descending=True)
    if table == "holes" and "hours" in frame.columns:
        return frame.with_columns(pl.col("hours").map_elements(hour_spans, return_dtype=pl.String))
    if table == "sites" and "availability" in frame.columns:
        return frame.sort("availability", "probe_id", nulls_last=True)
    if table == "compliance" and "verdict" in frame.columns:
        order = {"FAIL": 0, "INDETERMINATE": 1, "PASS": 2}
        return (
            frame.with_columns(pl.col("verdict").replace_strict(order, default=3).alias("order"))
            .sort("order", maintain_order=True)
            .drop("order")
        )
    return frame


def connected(frame: pl.DataFrame) -> tuple[int, int] | None:
    """Return how many fixed sites are connected, of how many."""
    if "is_connected" not in frame.columns:
        return None
    return int(frame["is_connected"].fill_null(False).sum()), frame.height


def whole(frame: pl.DataFrame) -> dict[str, Any] | None:
    """Return the participation of everybody over the whole period."""
    if "scope" not in frame.columns:
        return None
    rows = frame.filter((pl.col("scope") == "whole") & (pl.col("period") == WHOLE) & (pl.col("key") == ALL))
    return rows.row(0, named=True) if rows.height else None
