"""Result tables as text for people: the figures in shown units, with intervals."""

from __future__ import annotations

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


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows under a header, columns padded, numbers as they come."""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]
    lines = [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
    return "\n".join((lines[0], "-" * len(lines[0]), *lines[1:]))


def ratings(frame: pl.DataFrame, keys: Sequence[str], names: dict[str, str]) -> str:
    """Write a ratings table: one line a group, one column a KPI."""
    wanted = frame.filter(pl.col("kpi").is_in(_SHOWN) & pl.col("statistic").is_in(("median", "share")))
    wide: dict[tuple[str, ...], dict[str, str]] = {}
    for row in wanted.iter_rows(named=True):
        line = wide.setdefault(tuple(row[k] for k in keys), {})
        line[row["kpi"]] = figure(row["kpi"], row["value"], row["low"], row["high"])
        line["tests"] = str(max(int(line.get("tests", 0)), row["samples_count"]))
    header = [*keys, "tests", *(f"{BY_ID[k].title_en} {BY_ID[k].shown_unit}" for k in _SHOWN)]
    rows = [
        [*(names.get(k, k) for k in key), line["tests"], *(line.get(k, "-") for k in _SHOWN)]
        for key, line in sorted(wide.items())
    ]
    return grid(header, rows)
