"""Cells of findings in words, for paper. The site's page/findings.js says the same in the browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl

from analysis.results import ALL
from maps import language
from maps.findings import WIDTHS, Finding, worth_reading
from measurement.kpi import BY_ID

Row = dict[str, Any]


def table(frame: pl.DataFrame, finding: Finding, code: str, names: dict[str, str]) -> dict[str, Any]:
    """Return a finding as heads and cells in one language; columns the table lacks are left out."""
    rows = worth_reading(finding.table, frame)
    held = {
        *rows.columns,
        *(["interval"] if "low" in rows.columns else []),
        *(["reason"] if "reason_en" in rows.columns else []),
    }
    chosen = [
        column
        for column in finding.columns
        if column in held and (column not in rows.columns or rows[column].null_count() < rows.height)
    ]
    texts = language.texts(code)
    return {
        "widths": [WIDTHS.get(column, 1.0) for column in chosen],
        "heads": [texts[f"column.{column}"] for column in chosen],
        "numeric": [column in rows.columns and rows[column].dtype.is_numeric() for column in chosen],
        "rows": [
            [cell(code, column, row, names) for column in chosen]
            for row in rows.head(finding.paper_rows).iter_rows(named=True)
        ],
        "total": rows.height,
    }  # fmt: skip


def number(code: str, value: float) -> str:
    """Return a number with as many digits as its size needs."""
    return language.number(code, value, 0 if value == int(value) or abs(value) >= 100 else 2 if abs(value) < 1 else 1)


def _kpi(code: str, row: Row, _: dict[str, str]) -> str:
    kpi = BY_ID.get(row["kpi"])
    if kpi is None:
        return str(row["kpi"])
    title = kpi.title_vi if code == "vi" else kpi.title_en
    return f"{title} ({kpi.shown_unit})"


def _limit(code: str, row: Row, _: dict[str, str]) -> str:
    return ("≥ " if row.get("bound") == "at_least" else "≤ ") + number(code, row["limit"])


def _interval(code: str, row: Row, _: dict[str, str]) -> str:
    if row["low"] is None or row["high"] is None:
        return "–"
    if "drop_ratio" in row:
        return f"{language.number(code, 100 * row['low'])} – {language.number(code, 100 * row['high'])}%"
    return f"{number(code, row['low'])} – {number(code, row['high'])}"


def _place(column: str) -> Callable[[str, Row, dict[str, str]], str]:
    def words(code: str, row: Row, names: dict[str, str]) -> str:
        if row[column] == ALL:
            return language.text(code, "word.whole_city")
        return names.get(row[column], str(row[column]))

    return words


def _duration(code: str, row: Row, _: dict[str, str]) -> str:
    minutes = (row["longest_outage_s"] or 0) / 60
    return language.text(code, "unit.hours", value=number(code, round(minutes / 60, 1))) if minutes >= 90 else (
        language.text(code, "unit.minutes", value=number(code, round(minutes)))
    )  # fmt: skip


_CELLS: dict[str, Callable[[str, Row, dict[str, str]], str]] = {
    "kpi": _kpi,
    "limit": _limit,
    "interval": _interval,
    "area": _place("area"),
    "key": _place("key"),
    "longest_outage_s": _duration,
    "drop_ratio": lambda code, row, _: language.number(code, 100 * row["drop_ratio"]) + "%",
    "availability": lambda code, row, _: language.number(code, 100 * row["availability"], 2) + "%",
    "downlink_median_bps": lambda code, row, _: number(code, round(row["downlink_median_bps"] / 1e6, 1)) + " Mbit/s",
    "nearest_bts_m": lambda code, row, _: language.number(code, row["nearest_bts_m"]) + " m",
    "hour": lambda code, row, _: language.text(code, "plot.hour", hour=row["hour"]),
    "reason": lambda code, row, _: str(row[f"reason_{code}"]),
}


def cell(code: str, column: str, row: Row, names: dict[str, str]) -> str:
    """Return one cell in words."""
    texts = language.texts(code)
    if column not in ("interval", "reason") and row[column] is None:
        return "–"
    if column in _CELLS:
        return _CELLS[column](code, row, names)
    value = row[column]
    if isinstance(value, bool):
        return texts["word.yes" if value else "word.no"]
    if isinstance(value, int | float):
        return number(code, value)
    if isinstance(value, datetime):
        return value.strftime("%d/%m/%Y" if code == "vi" else "%d %b %Y")
    if value == ALL:
        return texts["word.all"]
    return texts.get(f"technology.{value}" if column == "technology" else f"word.{value}", str(value))
