"""Areas are data: layers of named polygons with parents and dates of validity. Longitude before latitude."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec

from measurement.errors import ConfigError

Ring = list[tuple[float, float]]
"""Closed ring of (longitude_deg, latitude_deg)."""

_KEY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """One polygon or several under one key. `polygons` are lists of rings, the outer first."""

    key: str
    name: str
    name_en: str
    polygons: list[list[Ring]]
    parent: str | None = None
    population: int | None = None


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A set of areas that belong together.

    `parent` is the key of the layer above. `is_approximate` says that the shapes are drawn, not surveyed, and is
    shown wherever the areas are. `valid_from` is the first day and `valid_until` the last.
    """

    key: str
    title_en: str
    title_vi: str
    areas: list[Area]
    parent: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    is_approximate: bool = False
    attribution: str = ""

    @property
    def region(self) -> tuple[float, float, float, float]:
        """West, east, south, north in degrees."""
        points = [point for area in self.areas for point in corners(area)]
        longitudes, latitudes = [x for x, _ in points], [y for _, y in points]
        return min(longitudes), max(longitudes), min(latitudes), max(latitudes)


class BaseStation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One station of the registry. `cell_ids` are ECI or NCI; `azimuths_deg` one for each sector."""

    id: str
    operator: str
    technology: str
    longitude_deg: float
    latitude_deg: float
    base_station_id: int | None = None
    name: str | None = None
    height_m: float | None = None
    azimuths_deg: list[float] = []
    cell_ids: list[int] = []
    pcis: list[int] = []
    is_simulated: bool = False


def corners(area: Area) -> Iterator[tuple[float, float]]:
    """Yield every corner of an area."""
    for polygon in area.polygons:
        for ring in polygon:
            yield from ring


def _ring(raw: Any, path: str) -> Ring:
    if not isinstance(raw, list) or len(raw) < 4:
        raise ConfigError(f"{path}: Invalid ring. At least four positions.")
    ring: Ring = []
    for index, point in enumerate(raw):
        if not isinstance(point, list) or len(point) < 2 or not all(type(v) in (int, float) for v in point[:2]):
            raise ConfigError(f"{path}[{index}]: Invalid position {point!r}. [longitude, latitude] in degrees.")
        longitude, latitude = float(point[0]), float(point[1])
        if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
            raise ConfigError(f"{path}[{index}]: Invalid position {point!r}. Longitude ±180, latitude ±90.")
        ring.append((longitude, latitude))
    return ring


def _polygons(geometry: Any, path: str) -> list[list[Ring]]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise ConfigError(f"{path}.type: Invalid geometry {kind!r}. Polygon or MultiPolygon.")
    raw = geometry.get("coordinates")
    raw = [raw] if kind == "Polygon" else raw
    if not isinstance(raw, list) or not raw or not all(isinstance(polygon, list) and polygon for polygon in raw):
        raise ConfigError(f"{path}.coordinates: Invalid coordinates. A list of rings.")
    return [
        [_ring(ring, f"{path}.coordinates[{p}][{r}]") for r, ring in enumerate(polygon)]
        for p, polygon in enumerate(raw)
    ]


def areas_from_geojson(
    data: bytes,
    *,
    key: str = "code",
    name: str = "name",
    name_en: str | None = None,
    parent: str | None = None,
    population: str | None = None,
) -> list[Area]:
    """Read the areas of a GeoJSON FeatureCollection; the arguments name the properties to use.

    Raises
    ------
    ConfigError
        With the path of what is wrong.
    """
    try:
        collection = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"$: Invalid GeoJSON. {error}") from None
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list) or not features:
        raise ConfigError("$.features: Invalid GeoJSON. A FeatureCollection with at least one feature.")
    areas: list[Area] = []
    seen: set[str] = set()
    for index, feature in enumerate(features):
        path = f"$.features[{index}]"
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(properties, dict):
            raise ConfigError(f"{path}.properties: Invalid feature. Properties are needed.")
        area_key = str(properties.get(key, ""))
        if not _KEY.match(area_key):
            raise ConfigError(f"{path}.properties.{key}: Invalid key {area_key!r}. Letters, digits and ._:- only.")
        if area_key in seen:
            raise ConfigError(f"{path}.properties.{key}: Invalid key {area_key!r}. It stands twice in the layer.")
        seen.add(area_key)
        title = properties.get(name)
        if not isinstance(title, str) or not title.strip():
            raise ConfigError(f"{path}.properties.{name}: Invalid name {title!r}. A text is needed.")
        english = properties.get(name_en) if name_en else None
        people = properties.get(population) if population else None
        above = properties.get(parent) if parent else None
        areas.append(
            Area(
                key=area_key,
                name=title,
                name_en=english if isinstance(english, str) else title,
                polygons=_polygons(feature.get("geometry"), f"{path}.geometry"),
                parent=None if above is None else str(above),
                population=people if isinstance(people, int) else None,
            )
        )
    return areas


def to_geojson(layer: Layer) -> dict[str, Any]:
    """Return a layer as a GeoJSON FeatureCollection with key, names, parent and population of each area."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {
                    "key": area.key,
                    "name": area.name,
                    "name_en": area.name_en,
                    "parent": area.parent,
                    "population": area.population,
                },
                "geometry": {"type": "MultiPolygon", "coordinates": area.polygons},
            }
            for area in layer.areas
        ],
    }
