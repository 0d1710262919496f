"""The data dictionary: every column of the open table with type, unit and meaning in both languages."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from measurement.kpi import KPIS, Kpi

_SUFFIX = {"bit/s": "bps", "ms": "ms", "ratio": "ratio", "dBm": "dbm", "dB": "db", "1/min": "rpm"}


class Column(NamedTuple):
    """One column: name, Frictionless type, polars type, unit, meanings."""

    name: str
    type: str
    dtype: Any
    unit: str
    meaning_en: str
    meaning_vi: str


IDENTITY: tuple[Column, ...] = (
    Column("h3_cell", "string", pl.String, "", "H3 index of the hexagon", "Mã H3 của ô lục giác"),
    Column("month", "yearmonth", pl.String, "", "Civil month in Asia/Ho_Chi_Minh", "Tháng, giờ Việt Nam"),
    Column("operator", "string", pl.String, "", "Mobile network operator", "Nhà mạng di động"),
    Column("technology", "string", pl.String, "", "5g, 4g, 3g or 2g", "5g, 4g, 3g hoặc 2g"),
    Column("tests_count", "integer", pl.Int64, "tests", "Tests behind the row, at least 5", "Số lần đo, từ 5"),
    Column("devices_count", "integer", pl.Int64, "devices", "Devices, at least 3", "Số thiết bị, từ 3"),
    Column("is_simulated", "boolean", pl.Boolean, "", "True where any test was simulated", "Có số liệu mô phỏng"),
)
KEY = ("h3_cell", "month", "operator", "technology")
"""Columns that name a row."""


def value_name(kpi: Kpi) -> str:
    """Return the column of a KPI's median, or of its share.

    Examples
    --------
    >>> from measurement.kpi import BY_ID
    >>> value_name(BY_ID['downlink']), value_name(BY_ID['loss']), value_name(BY_ID['access_failure'])
    ('downlink_median_bps', 'loss_median_ratio', 'access_failure_ratio')
    """
    middle = "_median" if kpi.column else ""
    return f"{kpi.id}{middle}_{_SUFFIX[kpi.unit]}"


def tenth_name(kpi: Kpi) -> str:
    """Return the column of a KPI's tenth percentile."""
    return f"{kpi.id}_p10_{_SUFFIX[kpi.unit]}"


def columns(kpis: set[str]) -> tuple[Column, ...]:
    """Return the columns of a table that holds these KPIs, in order."""
    found = list(IDENTITY)
    for kpi in KPIS:
        if kpi.id in kpis:
            kind_en, kind_vi = ("median", "trung vị") if kpi.column else ("share", "tỷ lệ")
            en, vi = f"{kpi.title_en}, {kind_en}", f"{kpi.title_vi}, {kind_vi}"
            found.append(Column(value_name(kpi), "number", pl.Float64, kpi.unit, en, vi))
            if kpi.column:
                en, vi = f"{kpi.title_en}, tenth percentile", f"{kpi.title_vi}, bách phân vị 10"
                found.append(Column(tenth_name(kpi), "number", pl.Float64, kpi.unit, en, vi))
    return tuple(found)
