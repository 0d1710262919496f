"""Tables of findings for paper: which columns, in which order, in whose words."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from maps import language
from measurement.kpi import BY_ID


class Finding(NamedTuple):
    """One table of the report: its name in the archive, the columns wanted in order, how many rows fit on paper."""

    table: str
    columns: tuple[str, ...]
    rows: int


FINDINGS: tuple[Finding, ...] = (
    Finding("compliance", ("area", "operator", "technology", "kpi", "value", "low", "high", "limit", "verdict"), 60),
    Finding("holes", ("area", "operator", "technology", "cells_count", "failures_count", "since", "rsrp_dbm"), 30),
    Finding("degraded", ("area", "base_station", "operator", "technology", "kpi", "since", "drop_ratio", "cause"), 30),
    Finding("participation", ("area", "organisation", "users_count", "samples_count", "target_count"), 40),
    Finding("sites", ("site", "organisation", "operator", "availability_ratio", "outages_count", "status"), 40),
    Finding("plan", ("rank", "area", "operator", "technology", "hour", "reason", "gain"), 20),
)
MOST_COLUMNS = 7


def table(frame: pl.DataFrame, finding: Finding, code: str, names: dict[str, str]) -> dict[str, Any]:
    """Return a finding as heads and cells in one language; columns the table lacks are left out."""
    plain = [c for c in frame.columns if not frame[c].dtype.is_nested() and frame[c].null_count() < frame.height]
    wanted = [c for c in finding.columns if c in plain]
    hidden = {"is_simulated", "h3_cell", "layer", *wanted}
    chosen = (wanted + [c for c in plain if c not in hidden])[: max(MOST_COLUMNS, len(wanted))]
    texts = language.texts(code)
    return {
        "heads": [texts.get(f"column.{c}", c.replace("_", " ")) for c in chosen],
        "numeric": [frame[c].dtype.is_numeric() for c in chosen],
        "rows": [
            [cell(code, c, v, names) for c, v in zip(chosen, row, strict=True)]
            for row in frame.select(chosen).head(finding.rows).iter_rows()
        ],
        "total": frame.height,
    }  # fmt: skip


def cell(code: str, column: str, value: Any, names: dict[str, str]) -> str:
    """Return one cell in words."""
    texts = language.texts(code)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return texts["word.yes" if value else "word.no"]
    if isinstance(value, float):
        if column.endswith(("_ratio", "_share")) or column == "availability":
            return language.number(code, value * 100, 1) + "%"
        return language.number(code, value, 0 if value == int(value) else 2 if abs(value) < 10 else 1)
    if isinstance(value, int):
        return language.number(code, value)
    word = str(value)
    if column == "area":
        return names.get(word, word)
    if column == "kpi" and word in BY_ID:
        return BY_ID[word].title_vi if code == "vi" else BY_ID[word].title_en
    if word == "*":
        return texts["word.all"]
    return texts.get(f"technology.{word}" if column == "technology" else f"word.{word}", word)
