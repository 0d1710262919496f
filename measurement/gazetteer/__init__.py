"""The areas of Hải Phòng that come with the package: names, codes and **approximate** shapes (docs/gazetteer.md).

They serve where no boundary file is configured. `LICENSE.vietnamadminunits` covers the names, codes and points.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from measurement.geography import Layer, areas_from_geojson

ATTRIBUTION = "vietnamadminunits 1.0.4 (MIT), shapes drawn by Hải Đăng: approximate"


class _Row(NamedTuple):
    key: str
    title_en: str
    title_vi: str
    parent: str | None
    valid_from: date | None
    valid_until: date | None


# Resolution 202/2025/QH15 merged Hải Dương into Hải Phòng; districts ended with 30 June 2025.
_LAYERS = (
    _Row("provinces-2025", "Provinces and cities", "Tỉnh, thành phố", None, date(2025, 7, 1), None),
    _Row("districts-2024", "Former districts", "Quận, huyện cũ", None, date(2025, 1, 1), date(2025, 6, 30)),
    _Row("communes-2025", "Communes and wards", "Xã, phường, đặc khu", "provinces-2025", date(2025, 7, 1), None),
    _Row("zones", "Ports and industrial parks", "Cảng và khu công nghiệp", None, None, None),
)  # fmt: skip


class Commune(NamedTuple):
    """What the gazetteer knows of a commune beyond its shape."""

    code: str
    name: str
    former_district: str
    longitude_deg: float
    latitude_deg: float
    area_km2: float


def _read(key: str) -> bytes:
    return (files(__name__) / f"{key}.geojson").read_bytes()


def _layer(row: _Row) -> Layer:
    return Layer(
        key=row.key,
        title_en=row.title_en,
        title_vi=row.title_vi,
        areas=areas_from_geojson(_read(row.key), name_en="name_en", parent="parent"),
        parent=row.parent,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        is_approximate=True,
        attribution=ATTRIBUTION,
    )


@cache
def _all() -> tuple[Layer, ...]:
    return tuple(_layer(row) for row in _LAYERS)


def layers() -> list[Layer]:
    """Return the layers of Hải Phòng: province, former districts, communes, zones."""
    return list(_all())


@cache
def communes() -> tuple[Commune, ...]:
    """Return points, official areas and former districts of the communes, by code."""
    collection: Any = msgspec.json.decode(_read("communes-2025"))
    return tuple(
        Commune(
            code=p["code"],
            name=p["name"],
            former_district=p["former_district"],
            longitude_deg=p["longitude_deg"],
            latitude_deg=p["latitude_deg"],
            area_km2=p["area_km2"],
        )
        for p in (feature["properties"] for feature in collection["features"])
    )
