"""What everybody may read: layers, areas, base stations, ratings, hexagons, participation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h3
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from collector.callers import address_of
from collector.published import AreaRating, Hexagon, Participation, Row, StationRating, rows_of
from collector.replies import Problem
from collector.routes import Parameter, Route
from collector.service import Service
from collector.tabular import CSV, GEOJSON, JSON, choose, page, unknown_parameters
from measurement.geography import BaseStation, Layer


class LayerRow(msgspec.Struct, kw_only=True):
    """One layer of areas."""

    key: str
    title_en: str
    title_vi: str
    areas_count: int
    parent: str | None
    valid_from: str | None
    valid_until: str | None
    is_approximate: bool
    attribution: str


class AreaRow(msgspec.Struct, kw_only=True):
    """One area; its shape comes as GeoJSON."""

    key: str
    name: str
    name_en: str
    parent: str | None
    population: int | None


class Layers(msgspec.Struct):
    """The layers in their configured order."""

    layers: list[LayerRow]
    count: int
    next: str | None


class Areas(msgspec.Struct):
    """A page of areas."""

    areas: list[AreaRow]
    count: int
    next: str | None


class BaseStations(msgspec.Struct):
    """A page of the registry."""

    base_stations: list[BaseStation]
    count: int
    next: str | None


class AreaRatings(msgspec.Struct):
    """A page of ratings."""

    ratings: list[AreaRating]
    count: int
    next: str | None


class StationRatings(msgspec.Struct):
    """A page of ratings."""

    ratings: list[StationRating]
    count: int
    next: str | None


class Hexagons(msgspec.Struct):
    """A page of hexagons."""

    hexagons: list[Hexagon]
    count: int
    next: str | None


class Participations(msgspec.Struct):
    """A page of participation."""

    participation: list[Participation]
    count: int
    next: str | None


PAGING = ("limit", "after", "format")


async def _aside(service: Service, work: Callable[[], Response]) -> Response:
    """Run a look-up on a thread: rendering ten thousand rows must not keep those who report waiting."""
    return await asyncio.get_running_loop().run_in_executor(service.queries, work)


def _admit(request: Request, service: Service) -> None:
    wait = service.by_address.wait_s(address_of(request, service))
    if wait:
        raise Problem("too-many-requests", retry_after_s=wait)


def _layer(service: Service, key: str) -> Layer:
    for layer in service.layers:
        if layer.key == key:
            return layer
    raise Problem("not-found", f"No layer {key[:40]!r}.")


def _texts(content: object) -> Row:
    """Return a struct as JSON would have it."""
    return dict(msgspec.to_builtins(content))


async def get_layers(request: Request, service: Service) -> Response:
    """Return the layers of areas."""
    _admit(request, service)
    unknown_parameters(request, PAGING)
    media = choose(request, (JSON, CSV))
    names = LayerRow.__struct_fields__
    rows = [
        {name: msgspec.to_builtins(getattr(layer, name, None)) for name in names} | {"areas_count": len(layer.areas)}
        for layer in service.layers
    ]
    return page(request, rows, "layers", names, media)


async def get_areas(request: Request, service: Service) -> Response:
    """Return the areas of a layer; as GeoJSON with their shapes."""
    _admit(request, service)
    unknown_parameters(request, (*PAGING, "parent"))
    media = choose(request, (JSON, GEOJSON, CSV))
    layer = _layer(service, request.path_params["layer"])
    parent = request.query_params.get("parent")
    names = AreaRow.__struct_fields__
    rows = [{n: getattr(a, n) for n in names} for a in layer.areas if parent is None or a.parent == parent]
    shapes = service.shapes(layer)
    return await _aside(service, lambda: page(request, rows, "areas", names, media, lambda row: shapes[row["key"]]))


_STATION_FILTERS = ("operator", "technology")


async def get_base_stations(request: Request, service: Service) -> Response:
    """Return the registry of base stations."""
    _admit(request, service)
    unknown_parameters(request, (*PAGING, *_STATION_FILTERS))
    media = choose(request, (JSON, GEOJSON, CSV))
    filters = _filters(request, _STATION_FILTERS)

    def work() -> Response:
        stations = [s for s in service.base_stations() if all(getattr(s, n) == v for n, v in filters.items())]
        rows = [_texts(station) for station in stations]
        return page(request, rows, "base_stations", BaseStation.__struct_fields__, media, _station_point)

    return await _aside(service, work)


def _station_point(row: Row) -> Row:
    return {"type": "Point", "coordinates": [row["longitude_deg"], row["latitude_deg"]]}


def _filters(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    return {name: request.query_params[name] for name in names if name in request.query_params}


_RATING_FILTERS = ("operator", "technology", "period", "kpi", "statistic", "status")


async def get_area_ratings(request: Request, service: Service) -> Response:
    """Return the ratings of areas; as GeoJSON with the shapes of the areas."""
    _admit(request, service)
    filters = ("layer", "area", *_RATING_FILTERS)
    unknown_parameters(request, (*PAGING, *filters))
    media = choose(request, (JSON, GEOJSON, CSV))
    wanted = _filters(request, filters)

    def geometry(row: Row) -> Any:
        layer = next((layer for layer in service.layers if layer.key == row["layer"]), None)
        return None if layer is None else service.shapes(layer).get(row["area"])

    def work() -> Response:
        rows = rows_of(service.result("area_ratings"), AreaRating, wanted)
        return page(request, rows, "ratings", AreaRating.__struct_fields__, media, geometry)

    return await _aside(service, work)


async def get_station_ratings(request: Request, service: Service) -> Response:
    """Return the ratings of base stations; as GeoJSON with their positions."""
    _admit(request, service)
    filters = ("base_station", *_RATING_FILTERS)
    unknown_parameters(request, (*PAGING, *filters))
    media = choose(request, (JSON, GEOJSON, CSV))
    wanted = _filters(request, filters)

    def work() -> Response:
        rows = rows_of(service.result("bts_ratings"), StationRating, wanted)
        points = {s.id: _station_point(_texts(s)) for s in service.base_stations()} if media == GEOJSON else {}
        names = StationRating.__struct_fields__
        return page(request, rows, "ratings", names, media, lambda row: points.get(row["base_station"]))

    return await _aside(service, work)


async def get_hexagons(request: Request, service: Service) -> Response:
    """Return figures of H3 cells with enough tests and devices; as GeoJSON with their shapes."""
    _admit(request, service)
    filters = ("resolution", "operator", "technology", "period", "kpi")
    unknown_parameters(request, (*PAGING, *filters))
    media = choose(request, (JSON, GEOJSON, CSV))
    wanted = _filters(request, filters)

    def work() -> Response:
        rows = [r for r in rows_of(service.result("hexagons"), Hexagon, wanted) if r["value"] is not None]
        return page(request, rows, "hexagons", Hexagon.__struct_fields__, media, _hexagon)

    return await _aside(service, work)


def _hexagon(row: Row) -> Row:
    ring = [[longitude, latitude] for latitude, longitude in h3.cell_to_boundary(row["h3_cell"])]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


async def get_participation(request: Request, service: Service) -> Response:
    """Return tests and devices by area, organisation and month."""
    _admit(request, service)
    unknown_parameters(request, (*PAGING, "layer", "organisation", "month"))
    media = choose(request, (JSON, CSV))
    default = service.layers[0].key if service.layers else ""
    layer = _layer(service, request.query_params.get("layer", default))
    wanted = _filters(request, ("organisation", "month"))

    def work() -> Response:
        rows = [r for r in service.participants.rows(layer.key) if all(r[n] == v for n, v in wanted.items())]
        return page(request, rows, "participation", Participation.__struct_fields__, media)

    return await _aside(service, work)


_TEXT = {"type": "string"}


def _paging(*formats: str) -> tuple[Parameter, ...]:
    return (
        Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 10_000}, "rows of a page"),
        Parameter("after", "query", {"type": "integer", "minimum": 0, "maximum": 2**40}, "`next` of the page before"),
        Parameter("format", "query", {"type": "string", "enum": list(formats)}, "instead of Accept"),
    )


def _by(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, "query", _TEXT, f"only this {name}") for name in names)


_SHAPED, _FLAT = _paging("json", "csv", "geojson"), _paging("json", "csv")
_MEDIA, _FLAT_MEDIA = (JSON, CSV, GEOJSON), (JSON, CSV)
_REFUSALS = ("parameter-invalid", "not-acceptable", "too-many-requests")
ROUTES = (
    Route("GET", "/v1/areas", get_layers, "Layers of areas", "Các lớp khu vực", None, _FLAT, None, Layers,
          _FLAT_MEDIA, refusals=_REFUSALS),
    Route("GET", "/v1/areas/{layer}", get_areas, "Areas of a layer", "Khu vực của một lớp", None,
          (Parameter("layer", "path", _TEXT, "the layer", True), *_SHAPED, *_by("parent")), None, Areas, _MEDIA,
          refusals=("not-found", *_REFUSALS)),
    Route("GET", "/v1/base-stations", get_base_stations, "Base stations", "Trạm BTS", None,
          (*_SHAPED, *_by(*_STATION_FILTERS)), None, BaseStations, _MEDIA, refusals=_REFUSALS),
    Route("GET", "/v1/ratings/areas", get_area_ratings, "Ratings of areas", "Xếp hạng khu vực", None,
          (*_SHAPED, *_by("layer", "area", *_RATING_FILTERS)), None, AreaRatings, _MEDIA, refusals=_REFUSALS),
    Route("GET", "/v1/ratings/base-stations", get_station_ratings, "Ratings of base stations", "Xếp hạng trạm BTS",
          None, (*_SHAPED, *_by("base_station", *_RATING_FILTERS)), None, StationRatings, _MEDIA, refusals=_REFUSALS),
    Route("GET", "/v1/hexagons", get_hexagons, "Figures of H3 cells", "Số liệu theo ô lục giác H3", None,
          (*_SHAPED, *_by("resolution", "operator", "technology", "period", "kpi")), None, Hexagons, _MEDIA,
          refusals=_REFUSALS),
    Route("GET", "/v1/participation", get_participation, "Who took part", "Mức độ tham gia", None,
          (*_FLAT, *_by("layer", "organisation", "month")), None, Participations, _FLAT_MEDIA,
          refusals=("not-found", *_REFUSALS)),
)  # fmt: skip
