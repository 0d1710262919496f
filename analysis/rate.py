"""Rate an archive: read, clean, collapse, aggregate, write."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from analysis import results, rules, thin
from analysis.observations import read_day
from analysis.thresholds import Thresholds
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.columns import area_column


def rate(archive: Archive, thresholds: Thresholds, progress: Callable[[int, int], None]) -> dict[str, pl.DataFrame]:
    """Rate everything an archive holds; return the result tables by name."""
    snapshot = archive.snapshot()
    zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
    exclusions: list[pl.DataFrame] = []
    areas: dict[str, list[pl.DataFrame]] = {layer: [] for layer in snapshot.layers}
    stations: list[pl.DataFrame] = []
    days = snapshot.days
    for index, day in enumerate(days):
        seen = read_day(snapshot, day, zone, thresholds)
        kept = {}
        for scope in rules.SCOPES:
            marked = seen.with_columns(rules.reason(scope).fill_null("kept").alias("reason"))
            exclusions.append(marked.group_by("reason").len("count").with_columns(pl.lit(scope).alias("scope")))
            kept[scope] = marked.filter(pl.col("reason") == "kept").with_columns(pl.lit(day[:7]).alias("period"))
        for layer in snapshot.layers:
            column = area_column(layer)
            inside = kept[rules.AREA].filter(pl.col(column).is_not_null())
            areas[layer].append(thin.collapse(inside, ("h3_cell", column, "period")).rename({column: "area"}))
        stations.append(thin.collapse(kept[rules.BASE_STATION], ("base_station_id", "period")))
        progress(index + 1, len(days))
    tables = {
        "area_ratings": [
            thin.aggregate(pl.concat(parts), ["area"]).with_columns(pl.lit(layer).alias("layer"))
            for layer, parts in areas.items()
            if parts
        ],
        "bts_ratings": [
            thin.aggregate(pl.concat(stations), ["base_station_id"]).rename({"base_station_id": "base_station"})
        ]
        if stations
        else [],
        "exclusions": [pl.concat(exclusions).group_by("scope", "reason").agg(pl.col("count").sum())]
        if exclusions
        else [],
    }
    empty = {name: pl.DataFrame(schema=results.schema(name)) for name in tables}
    return {
        name: results.shape(name, pl.concat(parts, how="diagonal_relaxed")) if parts else empty[name]
        for name, parts in tables.items()
    }
