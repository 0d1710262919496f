"""Findings beside the ratings: coverage surfaces, holes, degradation, plan, participation, sites, verdicts."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from maps.packing import pack, write_script

PLAIN = ("holes", "degraded", "plan", "participation", "sites", "compliance")
LIMIT = 5000
"""Rows of one table on a page; the whole of it is in the archive and in open data."""


def write_surfaces(
    folder: Path, tables: dict[str, pl.DataFrame], words: dict[str, list[str]], *, internal: bool, west: float
) -> list[str]:
    """Write one script for each table of findings; return the names written."""
    written = []
    for name in PLAIN:
        frame = tables.get(name)
        if frame is not None:
            simple = frame.select(c for c in frame.columns if not frame[c].dtype.is_nested()).head(LIMIT)
            write_script(folder, name, {**pack(simple), "total": frame.height})
            written.append(name)
    return written
