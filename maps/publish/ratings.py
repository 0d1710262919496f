"""Ratings of areas and base stations: one script a layer and period, one for each area and shard of stations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from maps.packing import cut, pack, prepare, write_script
from measurement.geography import BaseStation, Layer
from measurement.kpi import BY_ID

SHARD = 32
"""Base stations in one script of the pages: a page loads a few kilobytes, the folder holds dozens of files."""

_WORDS = ("operator", "technology", "kpi", "statistic", "status", "grade", "period")
_ON_PAGES = ("median", "share", "mean", "score", "p10", "p90")
_FIGURES = (
    "value", "low", "high", "samples_count", "devices_count", "needed_count", "status", "grade",
    "rank_low", "rank_high",
)  # fmt: skip


def shown_statistic() -> pl.Expr:
    """Return the condition of the rows that colour a map: a score for the score, else a median, a share or a mean."""
    statistic, kpi = pl.col("statistic"), pl.col("kpi")
    by_mean = kpi.is_in(["loss"])  # the median of losses is 0 nearly everywhere
    ordinary = (kpi != "score") & ~by_mean & statistic.is_in(["median", "share"])
    return ((kpi == "score") & (statistic == "score")) | ordinary | (by_mean & (statistic == "mean"))


def _present(frame: pl.DataFrame, *names: str) -> list[str]:
    return [name for name in names if name in frame.columns]


def _indexed(frame: pl.DataFrame, column: str, keys: list[str]) -> pl.DataFrame:
    """Replace a key by its position; rows of unknown keys go."""
    order = pl.DataFrame({column: keys, "index": range(len(keys))}, schema={column: pl.String, "index": pl.Int64})
    return frame.join(order, on=column, how="inner", maintain_order="left").drop(column)


def write_area_maps(folder: Path, ratings: pl.DataFrame, layers: list[Layer], periods: list[str]) -> list[str]:
    """Write `ratings-LAYER-PERIOD-KPI`, layer and period by positions; return the names written."""
    written = []
    mapped, words = prepare(ratings.filter(shown_statistic()), _WORDS[:-1])
    known = mapped.with_columns(pl.Series("id", ratings.filter(shown_statistic())["kpi"]))
    for (layer, period, kpi), part in known.partition_by("layer", "period", "id", as_dict=True).items():
        position = next((i for i, each in enumerate(layers) if each.key == layer), None)
        if position is None or period not in periods or (kpi != "score" and kpi not in BY_ID):
            continue
        rows = _indexed(part, "area", [area.key for area in layers[position].areas])
        rows = rows.select("index", *_present(rows, "operator", "technology", *_FIGURES))
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
            frame = frame.filter(pl.col("statistic").is_in(_ON_PAGES))
        ready, words = prepare(frame, (*_WORDS, "axis", "at"), digits=3)
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


def write_stations(folder: Path, stations: list[BaseStation], operators: list[str]) -> list[str]:
    """Write `stations`, the registry in columns; return the name where there are any."""
    if not stations:
        return []
    frame = pl.DataFrame(
        {
            "id": [s.id for s in stations],
            "name": [s.name for s in stations],
            "operator": [s.operator for s in stations],
            "technology": [s.technology for s in stations],
            "longitude": [round(s.longitude_deg, 5) for s in stations],
            "latitude": [round(s.latitude_deg, 5) for s in stations],
            "height": [s.height_m for s in stations],
            "azimuths": [[round(a) for a in s.azimuths_deg] for s in stations],
        },
        schema_overrides={"name": pl.String, "height": pl.Float64, "longitude": pl.Object, "latitude": pl.Object},
    )
    write_script(folder, "stations", pack(frame, ("operator", "technology")))
    return ["stations"]


def write_station_ratings(
    folder: Path, ratings: pl.DataFrame, stations: list[BaseStation], periods: list[str]
) -> list[str]:
    """Write `bts-PERIOD` for the map and `station-SHARD` for the pages; return the names written."""
    written = []
    keys = [station.id for station in stations]
    rows = _indexed(ratings, "base_station", keys)
    mapped, words = prepare(rows.filter(shown_statistic()), ("operator", "technology", "status", "grade"), digits=3)
    for (period, kpi), part in mapped.partition_by("period", "kpi", as_dict=True).items():
        if period in periods:
            # One KPI at a time: the map shows one, and all of them would be megabytes.
            written.append(f"bts-{periods.index(str(period))}-{kpi}")
            columns = _present(part, "operator", "technology", *_FIGURES)
            write_script(folder, written[-1], cut(part.select("index", *columns), words))
    paged = rows.filter(pl.col("statistic").is_in(_ON_PAGES)).with_columns((pl.col("index") // SHARD).alias("shard"))
    ready, words = prepare(paged, _WORDS, digits=3)
    for (shard,), part in ready.partition_by("shard", as_dict=True, include_key=False).items():
        written.append(f"station-{shard}")
        write_script(folder, written[-1], cut(part, words))
    return written
