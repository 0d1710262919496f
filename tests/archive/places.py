"""Small layers whose answers can be seen with the eye, and the real boundaries where they are."""

from pathlib import Path

import pytest

from measurement.geography import Area, Layer, areas_from_geojson

BOUNDARIES = Path(__file__).parents[3] / "shared" / "data" / "boundaries"


def square(key: str, west: float, south: float, side: float = 1.0, hole: bool = False) -> Area:
    ring = [
        (west, south),
        (west + side, south),
        (west + side, south + side),
        (west, south + side),
        (west, south),
    ]
    inner = [(west + (x - west) / 2 + side / 4, south + (y - south) / 2 + side / 4) for x, y in ring]
    return Area(key=key, name=key, name_en=key, polygons=[[ring, inner] if hole else [ring]])


def layer(key: str, *areas: Area) -> Layer:
    return Layer(key=key, title_en=key, title_vi=key, areas=list(areas))


def real(name: str, key: str) -> Layer:
    path = BOUNDARIES / name
    if not path.is_file():
        pytest.skip(f"real boundaries are not here: {path.name}")
    return Layer(key=key, title_en=key, title_vi=key, areas=areas_from_geojson(path.read_bytes()))


COMMUNES = "hai_phong_114_wards_2025.geojson"
DISTRICTS = "hai_phong_15_districts_pre2025.geojson"
