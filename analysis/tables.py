"""Result tables as text for people: figures in shown units, with intervals, and how many more tests are needed."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import polars as pl

from measurement.kpi import BY_ID

_SHOWN = ("downlink", "uplink", "latency", "access_failure", "rsrp")


def figure(kpi: str, value: float | None, low: float | None, high: float | None) -> str:
    """Write one figure with its interval in the shown unit.

    Examples
    --------
    >>> figure('downlink', 41_230_000.0, 35_000_000.0, 48_000_000.0)
    '41.2 [35.0, 48.0]'
    """
    if value is None:
        return "-"
    row = BY_ID.get(kpi)
    scale, digits = (row.scale, row.digits) if row else (1.0, 1)
    text = f"{value * scale:.{digits}f}"
    if low is None or high is None:
        return text
    return f"{text} [{low * scale:.{digits}f}, {high * scale:.{digits}f}]"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c))


def grid(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows under a header, columns padded."""
    texts = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(_width(row[i]) for row in texts) for i in range(len(header))]
    lines = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]
    return "\n".join((lines[0], "  ".join("-" * width for width in widths), *lines[1:]))


def ratings(frame: pl.DataFrame, keys: Sequence[str], names: dict[str, str]) -> str:
    """Write a ratings table: one line a group with score, grade and the main KPIs."""
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    for row in frame.iter_rows(named=True):
        line = lines.setdefault(tuple(row[k] for k in keys), {})
        kpi, statistic = row["kpi"], row["statistic"]
        if kpi == "score" and statistic == "score":
            line["tests"], line["devices"] = str(row["samples_count"]), str(row["devices_count"])
            line["score"] = figure("score", row["value"], row["low"], row["high"])
            line["grade"] = row["grade"] or "-"
            more = f", {row['needed_count']} more" if row["needed_count"] else ""
            line["status"] = f"{row['status']}{more}"
            line["rank"] = "-" if row["rank_low"] is None else _rank(row["rank_low"], row["rank_high"])
        elif statistic in ("median", "share"):
            line[kpi] = figure(kpi, row["value"], row["low"], row["high"])
    plain = ("status", "tests", "devices", "score", "grade", "rank")
    header = [*keys, *plain, *(f"{BY_ID[k].title_en} {BY_ID[k].shown_unit}" for k in _SHOWN)]
    body = [
        [*(names.get(k, k) for k in key), *(line.get(name, "-") for name in (*plain, *_SHOWN))]
        for key, line in sorted(lines.items())
    ]
    return grid(header, body)


def _rank(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"
