"""Ratings of areas: one script a layer and period, one for each area."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from maps.packing import cut, prepare, write_script
from measurement.geography import Layer
from measurement.kpi import BY_ID

WORDS = ("operator", "technology", "kpi", "statistic", "status", "grade", "period")
ON_PAGES = ("median", "share", "mean", "score", "p10", "p90")
FIGURES = (
    "value", "low", "high", "samples_count", "devices_count", "needed_count", "status", "grade",
    "rank_low", "rank_high",
)  # fmt: skip


def shown_statistic() -> pl.Expr:
    """Return the condition of the rows that colour a map: a score for the score, else a median, a share or a mean."""
    statistic, kpi = pl.col("statistic"), pl.col("kpi")
    by_mean = kpi.is_in(["loss"])  # the median of losses is 0 nearly everywhere
    ordinary = (kpi != "score") & ~by_mean & statistic.is_in(["median", "share"])
    return ((kpi == "score") & (statistic == "score")) | ordinary | (by_mean & (statistic == "mean"))


def present(frame: pl.DataFrame, *names: str) -> list[str]:
    """Return the names that the table has as columns."""
    return [name for name in names if name in frame.columns]


def indexed(frame: pl.DataFrame, column: str, keys: list[str]) -> pl.DataFrame:
    """Replace a key by its position; rows of unknown keys go."""
    order = pl.DataFrame({column: keys, "index": range(len(keys))}, schema={column: pl.String, "index": pl.Int64})
    return frame.join(order, on=column, how="inner", maintain_order="left").drop(column)


def write_area_maps(folder: Path, ratings: pl.DataFrame, layers: list[Layer], periods: list[str]) -> list[str]:
    """Write `ratings-LAYER-PERIOD-KPI`, layer and period by positions; return the names written."""
    written = []
    mapped, words = prepare(ratings.filter(shown_statistic()), WORDS[:-1])
    known = mapped.with_columns(pl.Series("id", ratings.filter(shown_statistic())["kpi"]))
    for (layer, period, kpi), part in known.partition_by("layer", "period", "id", as_dict=True).items():
        position = next((i for i, each in enumerate(layers) if each.key == layer), None)
        if position is None or period not in periods or (kpi != "score" and kpi not in BY_ID):
            continue
        rows = indexed(part, "area", [area.key for area in layers[position].areas])
        rows = rows.select("index", *present(rows, "operator", "technology", *FIGURES))
        written.append(f"ratings-{position}-{periods.index(str(period))}-{kpi}")
        write_script(folder, written[-1], cut(rows, words))
    return written


def write_area_pages(folder: Path, tables: dict[str, pl.DataFrame], layers: list[Layer]) -> list[str]:
    """Write `area-LAYER-AREA` by positions: every rating, series and histogram of one area."""
    parts: dict[str, dict[str, Any]] = {}
    for table in ("area_ratings", "series", "histograms"):
        frame = tables.get(table)
        if frame is None:
            continue
        if "statistic" in frame.columns:
            frame = frame.filter(pl.col("statistic").is_in(ON_PAGES))
        ready, words = prepare(frame, (*WORDS, "axis", "at"), digits=3)
        for (layer, area), part in ready.partition_by("layer", "area", as_dict=True).items():
            name = _area_script(layers, str(layer), str(area))
            parts.setdefault(name, {})[table] = cut(part.drop("layer", "area"), words)
    parts.pop("", None)
    for name, value in parts.items():
        write_script(folder, name, value)
    return sorted(parts)


def _area_script(layers: list[Layer], layer: str, area: str) -> str:
    for i, each in enumerate(layers):
        if each.key == layer:
            for j, candidate in enumerate(each.areas):
                if candidate.key == area:
                    return f"area-{i}-{j}"
    return ""
