"""What changed since the month before: of each layer the clear changes, and how many showed none."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from analysis.compare import BETTER, WORSE
from maps.packing import pack, write_script
from maps.publish.ratings import indexed
from measurement.geography import Layer

_GROUP = ("operator", "technology", "kpi")


def write_changes(folder: Path, frame: pl.DataFrame, layers: list[Layer]) -> list[str]:
    """Write `changes-LAYER` by position; return the names written."""
    written = []
    clear = pl.col("verdict").is_in([BETTER, WORSE])
    for position, layer in enumerate(layers):
        rows = frame.filter(pl.col("layer") == layer.key)
        if rows.is_empty():
            continue
        told = indexed(rows.filter(clear), "area", [area.key for area in layer.areas])
        same = rows.filter(~clear).group_by(_GROUP).agg(pl.len().alias("count")).sort(_GROUP)
        shown = told.select(
            "index", *_GROUP, "first", "second", "change", "low", "high", "is_ratio", "verdict", "q_value"
        )
        written.append(f"changes-{position}")
        write_script(
            folder,
            written[-1],
            {
                "before": rows["before"][0],
                "period": rows["period"][0],
                "told": pack(shown, (*_GROUP, "verdict")),
                "same": pack(same, _GROUP),
            },
        )
    return written
