"""What may be published, as rows: ratings, hexagons and participation, with the floors of privacy applied."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import polars as pl

from archive.store import Archive
from measurement.columns import area_column

LEAST_TESTS, LEAST_DEVICES = 5, 3
"""Below these a figure could tell of one person (docs/ratings.md); its value is withheld."""

Row = dict[str, Any]


class AreaRating(msgspec.Struct, kw_only=True):
    """One figure of one area; values in the unit of the KPI's column."""

    layer: str
    area: str
    operator: str
    technology: str
    period: str
    kpi: str
    statistic: str
    value: float | None
    low: float | None
    high: float | None
    samples_count: int
    devices_count: int
    effective_count: float | None
    needed_count: int | None
    status: str
    grade: str | None
    rank_low: int | None
    rank_high: int | None
    is_simulated: bool


class StationRating(msgspec.Struct, kw_only=True):
    """One figure of one base station."""

    base_station: str
    operator: str
    technology: str
    period: str
    kpi: str
    statistic: str
    value: float | None
    low: float | None
    high: float | None
    samples_count: int
    devices_count: int
    effective_count: float | None
    needed_count: int | None
    status: str
    grade: str | None
    rank_low: int | None
    rank_high: int | None
    is_simulated: bool


class Hexagon(msgspec.Struct, kw_only=True):
    """One figure of one H3 cell."""

    h3_cell: str
    resolution: int
    operator: str
    technology: str
    period: str
    kpi: str
    value: float | None
    p10: float | None
    samples_count: int
    devices_count: int
    needed_count: int | None
    status: str
    is_simulated: bool


class Participation(msgspec.Struct, kw_only=True):
    """Who took part: devices and tests of one area, organisation and month. Simulated ones stand apart."""

    layer: str
    area: str | None
    organisation: str | None
    month: str
    samples_count: int
    devices_count: int
    is_simulated: bool


def rows_of(frame: pl.DataFrame | None, kind: type[msgspec.Struct], filters: Mapping[str, str]) -> list[Row]:
    """Return the rows that match every filter, without the values that privacy withholds."""
    if frame is None:
        return []
    names = [name for name in kind.__struct_fields__ if name in frame.columns]
    found = frame.select(names)
    for name, value in filters.items():
        found = found.filter(pl.col(name).cast(pl.String) == value)
    if "value" in names:
        is_thin = (pl.col("samples_count") < LEAST_TESTS) | (pl.col("devices_count") < LEAST_DEVICES)
        hidden = [name for name in ("value", "low", "high", "p10", "grade") if name in names]
        found = found.with_columns(pl.when(is_thin).then(None).otherwise(pl.col(name)).alias(name) for name in hidden)
    return found.to_dicts()


_PARTICIPANTS = ("probe_id", "organisation", "started_at", "is_simulated")


class Participants:
    """Counts participation from the archive; a count is kept for a minute."""

    def __init__(self, folder: Callable[[], Archive], monotonic: Callable[[], float] = time.monotonic) -> None:
        """Count in archives that `folder` opens."""
        self._open = folder
        self._monotonic = monotonic
        self._held: dict[str, tuple[float, list[Row]]] = {}
        self._lock = threading.Lock()

    def rows(self, layer: str) -> list[Row]:
        """Return participation in the areas of one layer."""
        with self._lock:
            at, rows = self._held.get(layer, (-1e9, []))
            if self._monotonic() - at > 60:
                with self._open() as archive:
                    rows = count_participation(archive, layer)
                self._held[layer] = (self._monotonic(), rows)
            return rows


def count_participation(archive: Archive, layer: str) -> list[Row]:
    """Count devices and tests by area, organisation and month, a day of records in memory at a time."""
    column = area_column(layer)
    keys = ["area", "organisation", "month", "is_simulated"]
    parts: list[pl.DataFrame] = []
    with archive.snapshot() as snapshot:
        for day in snapshot.days:
            frame = snapshot.frame(day, [*_PARTICIPANTS, column])
            named = frame.rename({column: "area"}).with_columns(pl.lit(day[:7]).alias("month"))
            parts.append(named.group_by([*keys, "probe_id"]).agg(pl.len().alias("samples_count")))
    if not parts:
        return []
    counted = (
        pl.concat(parts)
        .group_by(keys)
        .agg(pl.col("samples_count").sum(), pl.col("probe_id").n_unique().alias("devices_count"))
        .sort("month", "area", "organisation", "is_simulated", nulls_last=True)
    )
    names = Participation.__struct_fields__
    return counted.with_columns(pl.lit(layer).alias("layer")).select(names).to_dicts()
