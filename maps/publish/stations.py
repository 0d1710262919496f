"""Base stations: the registry, their ratings for the map, and everything of a few dozen a script for their pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import shapely

from maps.packing import cut, pack, prepare, write_script
from maps.publish.hexagons import publishable
from maps.publish.ratings import FIGURES, ON_PAGES, WORDS, indexed, present, shown_statistic
from maps.shapes import Shaped
from measurement.geography import BaseStation

SHARD = 32
"""Base stations in one script of the pages: a page loads a few kilobytes, the folder holds dozens of files."""

_PLOTS = ("bts_series", "bts_histograms")
_PLOT_WORDS = ("operator", "technology", "kpi", "axis", "at")


def areas_of(stations: list[BaseStation], shaped: Shaped | None) -> list[int]:
    """Return the position of the area that holds each station; -1 where none does."""
    if shaped is None or not stations:
        return [-1] * len(stations)
    points = shapely.points([(s.longitude_deg, s.latitude_deg) for s in stations])
    station, area = shapely.STRtree(shaped.geometries).query(points, predicate="within")
    held = np.full(len(stations), -1)
    held[station] = area
    found: list[int] = held.tolist()
    return found


def write_stations(folder: Path, stations: list[BaseStation], operators: list[str], shaped: Shaped | None) -> list[str]:
    """Write `stations`, the registry in columns with the area that holds each; return the name where there are any."""
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
            "area": areas_of(stations, shaped),
        },
        schema_overrides={"name": pl.String, "height": pl.Float64, "longitude": pl.Object, "latitude": pl.Object},
    )
    write_script(folder, "stations", pack(frame, ("operator", "technology")))
    return ["stations"]


def write_station_ratings(
    folder: Path, ratings: pl.DataFrame, stations: list[BaseStation], periods: list[str]
) -> list[str]:
    """Write `bts-PERIOD-KPI` for the map; return the names written."""
    written = []
    keys = [station.id for station in stations]
    rows = indexed(ratings, "base_station", keys)
    mapped, words = prepare(rows.filter(shown_statistic()), ("operator", "technology", "status", "grade"), digits=3)
    for (period, kpi), part in mapped.partition_by("period", "kpi", as_dict=True).items():
        if period in periods:
            # One KPI at a time: the map shows one, and all of them would be megabytes.
            written.append(f"bts-{periods.index(str(period))}-{kpi}")
            columns = present(part, "operator", "technology", *FIGURES)
            write_script(folder, written[-1], cut(part.select("index", *columns), words))
    return written


def write_station_pages(
    folder: Path, tables: dict[str, pl.DataFrame], stations: list[BaseStation], *, internal: bool
) -> list[str]:
    """Write `station-SHARD`: every rating, series and distribution of its stations; return the names written."""
    keys = [station.id for station in stations]
    parts: dict[str, dict[str, Any]] = {}
    for table, words in (("bts_ratings", WORDS), *((name, _PLOT_WORDS) for name in _PLOTS)):
        frame = tables.get(table)
        if frame is None:
            continue
        if "statistic" in frame.columns:
            frame = frame.filter(pl.col("statistic").is_in(ON_PAGES))
        elif not internal:
            # A week of a station tells a place and a time: the floors of hexagons hold for it, too.
            frame = frame.filter(publishable())
        rows = indexed(frame, "base_station", keys).with_columns((pl.col("index") // SHARD).alias("shard"))
        ready, known = prepare(rows, words, digits=3)
        for (shard,), part in ready.partition_by("shard", as_dict=True, include_key=False).items():
            parts.setdefault(f"station-{shard}", {})[table] = cut(part, known)
    for name, value in parts.items():
        write_script(folder, name, value)
    return sorted(parts)
