"""The deployment: defaults < TOML < environment < flags. Every key here stands in docs/operations.md."""

from __future__ import annotations

import csv
import io
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from archive import layout
from archive.store import Archive
from measurement.errors import ConfigError
from measurement.geography import BaseStation, Layer, areas_from_geojson

_Positive = Annotated[float, Meta(gt=0)]


class LayerSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[layers]]` table: a GeoJSON file and how to read it."""

    key: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    path: str
    title_en: str
    title_vi: str
    key_property: str = "code"
    name_property: str = "name"
    name_en_property: str | None = None
    parent_property: str | None = None
    population_property: str | None = None
    parent: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    is_approximate: bool = False
    attribution: str = ""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[limits]` table: what one caller and the whole collector may take."""

    body_bytes: Annotated[int, Meta(ge=1024, le=2**30)] = 8 << 20
    expanded_bytes: Annotated[int, Meta(ge=1024, le=2**31)] = 64 << 20
    probe_requests_per_s: _Positive = 50.0
    probe_burst: _Positive = 500.0
    address_requests_per_s: _Positive = 200.0
    address_burst: _Positive = 2000.0
    address_failures_per_min: _Positive = 60.0
    ticket_requests_per_min: _Positive = 6.0
    waiting_bytes: Annotated[int, Meta(ge=1 << 20)] = 256 << 20
    free_bytes: Annotated[int, Meta(ge=0)] = 512 << 20
    hot_rows: Annotated[int, Meta(ge=1000)] = 20_000_000


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    time_zone: str = layout.DEFAULT_TIME_ZONE
    layers: list[LayerSource] = []
    base_stations: str | None = None
    gnb_id_bits: dict[str, Annotated[int, Meta(ge=22, le=32)]] = {}
    trusted_proxies: list[str] = []
    ticket_secret_file: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    retention_days: Annotated[int, Meta(ge=1)] = 400
    limits: Limits = Limits()
    sinks: dict[str, dict[str, Any]] = {}


def load(path: Path | None) -> Deployment:
    """Read the configuration file, the defaults where there is none.

    Raises
    ------
    ConfigError
        Naming the key that is wrong.
    """
    if path is None:
        return Deployment()
    try:
        deployment = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Deployment)
        ZoneInfo(deployment.time_zone)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Invalid configuration {str(path)!r}. {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: Invalid TOML. {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"{path}: $.time_zone: Invalid time zone {deployment.time_zone!r}. An IANA name.") from None
    return deployment


def read_layers(deployment: Deployment, folder: Path) -> list[Layer]:
    """Read the configured layers; paths are relative to `folder`.

    Raises
    ------
    ConfigError
        Naming layer, file and path within it.
    """
    layers = []
    keys = [source.key for source in deployment.layers]
    for index, source in enumerate(deployment.layers):
        where = f"$.layers[{index}]"
        if keys.index(source.key) != index:
            raise ConfigError(f"{where}.key: Invalid key {source.key!r}. It stands twice.")
        if source.parent is not None and source.parent not in keys:
            raise ConfigError(f"{where}.parent: Invalid parent {source.parent!r}. No layer has this key.")
        layers.append(_read_layer(source, folder / source.path, where))
    return layers


def _read_layer(source: LayerSource, path: Path, where: str) -> Layer:
    try:
        areas = areas_from_geojson(
            path.read_bytes(),
            key=source.key_property,
            name=source.name_property,
            name_en=source.name_en_property,
            parent=source.parent_property,
            population=source.population_property,
        )
    except OSError as error:
        raise ConfigError(f"{where}.path: Invalid path {source.path!r}. {error.strerror}.") from None
    except ConfigError as error:
        raise ConfigError(f"{where}.path: {source.path}: {error}") from None
    names = ("key", "title_en", "title_vi", "parent", "valid_from", "valid_until", "is_approximate", "attribution")
    return Layer(areas=areas, **{name: getattr(source, name) for name in names})


def read_stations(path: Path) -> list[BaseStation]:
    """Read the registry from CSV or GeoJSON (by the file's ending); lists in CSV are parted by spaces.

    Raises
    ------
    ConfigError
        Naming the row and column.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"$.base_stations: Invalid path {str(path)!r}. {error}") from None
    rows = _geojson_rows(text, path) if path.suffix.lower() in (".geojson", ".json") else _csv_rows(text)
    stations: dict[str, BaseStation] = {}
    for where, row in rows:
        try:
            station = msgspec.convert(row, BaseStation, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{path}: {where}: {error}") from None
        if not (-180 <= station.longitude_deg <= 180 and -90 <= station.latitude_deg <= 90):
            raise ConfigError(f"{path}: {where}: Invalid position. Longitude ±180, latitude ±90.")
        if station.id in stations:
            raise ConfigError(f"{path}: {where}: Invalid id {station.id!r}. It stands twice.")
        stations[station.id] = station
    return list(stations.values())


_LISTS = ("azimuths_deg", "cell_ids", "pcis")


def _csv_rows(text: str) -> list[tuple[str, dict[str, Any]]]:
    rows: list[tuple[str, dict[str, Any]]] = []
    for number, raw in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        row: dict[str, Any] = {str(k): v for k, v in raw.items() if v not in (None, "")}
        for name in _LISTS:
            if name in row:
                row[name] = str(row[name]).split()
        rows.append((f"row {number}", row))
    return rows


def _geojson_rows(text: str, path: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        features = msgspec.json.decode(text)["features"]
        return [
            (
                f"$.features[{index}]",
                {k: v for k, v in feature["properties"].items() if v is not None}
                | dict(zip(("longitude_deg", "latitude_deg"), feature["geometry"]["coordinates"], strict=False)),
            )
            for index, feature in enumerate(features)
        ]
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: Invalid GeoJSON. A FeatureCollection of points is needed ({error}).") from None


def install(archive: Archive, deployment: Deployment, folder: Path) -> None:
    """Write layers, registry and time zone into the archive; without configured layers, the gazetteer's where none are.

    Raises
    ------
    ConfigError
        Where a file is broken, or the time zone differs from that of records already kept.
    """
    layers = read_layers(deployment, folder)
    stations = None if deployment.base_stations is None else read_stations(folder / deployment.base_stations)
    if not archive.set_time_zone(deployment.time_zone):
        raise ConfigError(
            f"$.time_zone: Invalid time zone {deployment.time_zone!r}. "
            f"The archive is kept by days of {archive.setting('time_zone')}."
        )
    if layers:
        archive.set_layers(layers)
    elif not archive.layer_keys():
        from measurement import gazetteer

        archive.set_layers(gazetteer.layers())
    if stations is not None:
        archive.set_base_stations(stations)
    for plmn, bits in deployment.gnb_id_bits.items():
        archive.set_setting(f"gnb_id_bits.{plmn}", str(bits))
