"""Land and sea: the coastline that the package carries, for the base map and for areas drawn without a survey."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import shapely
from shapely.geometry import MultiPolygon, Polygon

FILE = Path(__file__).parent / "assets" / "coastline" / "land.geojson"
SMALLEST_DEG2 = 1e-5  # about 12 hectares: smaller pieces of a cut area are slivers between two drawings of one shore
LEAST_SHARE = 0.02  # an area with less land than this lies off the drawn shore: better its own shape than a crumb


class Coast(NamedTuple):
    """Land inside a box (west, east, south, north), and whom to name as its source."""

    land: MultiPolygon
    box: tuple[float, float, float, float]
    attribution: str

    def covers(self, box: Sequence[float]) -> bool:
        """Tell whether a box lies inside: outside of it nothing is known of land and sea."""
        return (
            self.box[0] <= box[0] and box[1] <= self.box[1] and self.box[2] <= box[2] and box[3] <= self.box[3]
        )  # fmt: skip

    def ashore(self, geometries: Sequence[MultiPolygon]) -> list[MultiPolygon]:
        """Cut areas at the shore; one that has next to no land on the drawing stays as it is."""
        return [self._ashore(geometry) for geometry in geometries]

    def _ashore(self, geometry: MultiPolygon) -> MultiPolygon:
        west, south, east, north = geometry.bounds if not geometry.is_empty else (0.0, 0.0, 0.0, 0.0)
        if geometry.is_empty or not self.covers((west, east, south, north)):
            return geometry
        parts: list[Any] = [
            part
            for part in shapely.get_parts(shapely.intersection(geometry, self.land))
            if isinstance(part, Polygon) and part.area > SMALLEST_DEG2
        ]
        cut = MultiPolygon(parts)
        return cut if cut.area > LEAST_SHARE * geometry.area else geometry


@cache
def coast() -> Coast:
    """Read the package's own coastline, once."""
    text = FILE.read_text("utf-8")
    said = json.loads(text)
    west, south, east, north = said["bbox"]
    pieces = shapely.get_parts(shapely.get_parts(shapely.from_geojson(text)))
    land = MultiPolygon(list(pieces))
    shapely.prepare(land)
    return Coast(land, (west, east, south, north), said["attribution"])
