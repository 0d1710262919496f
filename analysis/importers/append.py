"""Into the archive: place rows in areas, H3 cells and at base stations, leave out what it holds already, append."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars import selectors

from analysis.importers.account import Account
from archive.layout import DEFAULT_TIME_ZONE
from archive.placing import Placer
from archive.store import Archive
from measurement.columns import area_column


class Appender:
    """Appends frames of archive columns to one archive."""

    def __init__(self, archive: Archive, account: Account) -> None:
        self._archive, self._account = archive, account
        self._placer = Placer.of(archive)
        self._has_stations = bool(archive.base_stations())

    def append(self, frame: pl.DataFrame) -> int:
        """Place and append; return how many rows were new."""
        if frame.is_empty():
            return 0
        before = frame.height
        if not {"position_longitude_deg", "position_latitude_deg"} <= set(frame.columns):
            raise ValueError("Invalid frame. Longitude and latitude are needed, null where unknown.")
        frame = self._new(frame)
        self._account.refuse_rows("in the archive already", before - frame.height)
        if frame.is_empty():
            return 0
        return self._archive.append_frame(self._matched(self._placed(frame)))

    def _new(self, frame: pl.DataFrame) -> pl.DataFrame:
        snapshot = self._archive.snapshot()
        zone = self._archive.setting("time_zone") or DEFAULT_TIME_ZONE
        days = frame["started_at"].dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d").unique().to_list()
        for day in sorted(set(days) & set(snapshot.days)):
            frame = frame.join(snapshot.frame(day, ["record_id"]), on="record_id", how="anti", maintain_order="left")
        return frame

    def _placed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Locate each distinct point once: a log at rest repeats it a thousand times."""
        names = ["position_longitude_deg", "position_latitude_deg"]
        frame = frame.drop(selectors.matches(r"^(h3_cell$|areas_|base_station_)"))
        points = frame.select(names).drop_nulls().unique(maintain_order=True)
        x, y = (points[name].to_numpy() for name in names)
        points = points.with_columns(
            pl.Series("h3_cell", self._placer.h3(x.tolist(), y.tolist()), dtype=pl.Int64),
            *(
                pl.Series(area_column(layer), keys.tolist(), dtype=pl.String)
                for layer, keys in self._placer.areas(x, y).items()
            ),
        )
        return frame.join(points, on=names, how="left", maintain_order="left")

    def _matched(self, frame: pl.DataFrame) -> pl.DataFrame:
        if not self._has_stations:
            return frame
        keys = {
            "operator": "network_operator",
            "technology": "network_technology",
            "cell_id": "radio_anchor_cell_id",
            "base_station_id": "radio_anchor_base_station_id",
            "longitude": "position_longitude_deg",
            "latitude": "position_latitude_deg",
        }
        held = [name for name in keys.values() if name in frame.columns]
        distinct = frame.select(held).unique(maintain_order=True)
        rows: list[dict[str, Any]] = [{k: row.get(name) for k, name in keys.items()} for row in distinct.to_dicts()]
        matches = [self._placer.match(**row) for row in rows]
        distinct = distinct.with_columns(
            pl.Series("base_station_id", [m and m.id for m in matches], dtype=pl.String),
            pl.Series("base_station_distance_m", [m and m.distance_m for m in matches], dtype=pl.Float64),
            pl.Series("base_station_matched_by", [m and m.matched_by.value for m in matches], dtype=pl.String),
        )
        return frame.join(distinct, on=held, how="left", nulls_equal=True, maintain_order="left")
