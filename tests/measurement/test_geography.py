"""Boundary files: broken ones are refused in one line that names the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from measurement.errors import ConfigError
from measurement.geography import Layer, areas_from_geojson, corners, to_geojson

BOUNDARIES = Path(__file__).parents[2] / "../shared/data/boundaries"
FOURTH = "$.features[0].geometry.coordinates[0][0][3]"
RING = [[106.0, 20.0], [107.0, 20.0], [107.0, 21.0], [106.0, 20.0]]


def feature(**changes: Any) -> dict[str, Any]:
    whole = {
        "type": "Feature",
        "properties": {"code": "303", "name": "Hồng Bàng", "en": "Hong Bang", "up": 31, "people": 1000},
        "geometry": {"type": "Polygon", "coordinates": [RING]},
    }
    return whole | changes


def file(*features: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features)}).encode()


def test_reads_what_the_arguments_name() -> None:
    (area,) = areas_from_geojson(file(feature()), name_en="en", parent="up", population="people")
    assert (area.key, area.name, area.name_en, area.parent, area.population) == (
        "303",
        "Hồng Bàng",
        "Hong Bang",
        "31",
        1000,
    )
    assert list(corners(area)) == [tuple(point) for point in RING]


def test_geojson_goes_round() -> None:
    areas = areas_from_geojson(file(feature()), name_en="en")
    layer = Layer(key="districts", title_en="Districts", title_vi="Quận", areas=areas)
    again = areas_from_geojson(json.dumps(to_geojson(layer)).encode(), key="key", name_en="name_en")
    assert again == areas
    assert layer.region == (106.0, 107.0, 20.0, 21.0)


def geometry(coordinates: Any, kind: str = "Polygon") -> bytes:
    return file(feature(geometry={"type": kind, "coordinates": coordinates}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "$: Invalid GeoJSON. Input data was truncated"),
        (b"\xff\xfe", "$: Invalid GeoJSON. JSON is malformed"),
        (b"[]", "$.features: Invalid GeoJSON. A FeatureCollection with at least one feature."),
        (file(), "$.features: Invalid GeoJSON. A FeatureCollection with at least one feature."),
        (file(5), "$.features[0].properties: Invalid feature. Properties are needed."),
        (file(feature(properties=None)), "$.features[0].properties: Invalid feature. Properties are needed."),
        (
            file(feature(properties={"name": "x"})),
            "$.features[0].properties.code: Invalid key ''. Letters, digits and ._:- only.",
        ),
        (
            file(feature(properties={"code": "a b", "name": "x"})),
            "$.features[0].properties.code: Invalid key 'a b'. Letters, digits and ._:- only.",
        ),
        (
            file(feature(), feature()),
            "$.features[1].properties.code: Invalid key '303'. It stands twice in the layer.",
        ),
        (
            file(feature(properties={"code": "1", "name": " "})),
            "$.features[0].properties.name: Invalid name ' '. A text is needed.",
        ),
        (file(feature(geometry=None)), "$.features[0].geometry.type: Invalid geometry None. Polygon or MultiPolygon."),
        (
            geometry([1, 2], "Point"),
            "$.features[0].geometry.type: Invalid geometry 'Point'. Polygon or MultiPolygon.",
        ),
        (geometry([]), "$.features[0].geometry.coordinates: Invalid coordinates. A list of rings."),
        (geometry([RING[:3]]), "$.features[0].geometry.coordinates[0][0]: Invalid ring. At least four positions."),
        (
            geometry([[*RING[:3], [20.0, 106.0]]]),
            FOURTH + ": Invalid position [20.0, 106.0]. Longitude ±180, latitude ±90.",
        ),
        (
            geometry([[*RING[:3], ["106", 20]]]),
            FOURTH + ": Invalid position ['106', 20]. [longitude, latitude] in degrees.",
        ),
        (
            geometry([[*RING[:3], [True, 20]]]),
            FOURTH + ": Invalid position [True, 20]. [longitude, latitude] in degrees.",
        ),
        (b"[" * 100_000, "$: Invalid GeoJSON."),
    ],
)
def test_broken_files_are_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        areas_from_geojson(data)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not BOUNDARIES.is_dir(), reason="real boundaries of Hải Phòng are not beside this checkout")
@pytest.mark.parametrize(("name", "count"), [("hai_phong_15_districts_pre2025", 15), ("hai_phong_114_wards_2025", 114)])
def test_real_boundaries_are_read_whole(name: str, count: int) -> None:
    areas = areas_from_geojson((BOUNDARIES / f"{name}.geojson").read_bytes())
    assert len(areas) == count
    assert all(106 < x < 108 and 20 < y < 21.5 for area in areas for x, y in corners(area))
