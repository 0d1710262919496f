"""The gazetteer: complete, nested, valid, small, and as near to the real boundaries as its document says."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import shapely

from measurement.gazetteer import communes, layers
from measurement.geography import Area, Layer, areas_from_geojson

ROOT = Path(__file__).parents[2]
BOUNDARIES = ROOT / "../shared/data/boundaries"
LAYERS = {layer.key: layer for layer in layers()}


def shape_of(area: Area) -> shapely.Geometry:
    return shapely.union_all([shapely.Polygon(rings[0], rings[1:]) for rings in area.polygons])


def labels(areas: list[Area], points: np.ndarray) -> np.ndarray:
    found = np.full(len(points), "", dtype=object)
    tree = shapely.STRtree([shape_of(area) for area in areas])
    point, area = tree.query(shapely.points(points), predicate="intersects")
    found[point] = np.array([a.key for a in areas], dtype=object)[area]
    return found


@pytest.mark.parametrize(
    ("key", "count"), [("provinces-2025", 1), ("districts-2024", 15), ("communes-2025", 114), ("zones", 15)]
)
def test_layer_is_complete_and_says_it_is_approximate(key: str, count: int) -> None:
    layer = LAYERS[key]
    assert len(layer.areas) == count
    assert layer.is_approximate
    assert "vietnamadminunits" in layer.attribution
    assert layer.title_vi != layer.title_en


def test_districts_end_the_day_before_communes_begin() -> None:
    districts, communes_2025 = LAYERS["districts-2024"], LAYERS["communes-2025"]
    assert districts.valid_until is not None
    assert communes_2025.valid_from is not None
    assert (communes_2025.valid_from - districts.valid_until).days == 1


@pytest.mark.parametrize("layer", layers(), ids=lambda layer: layer.key)
def test_shapes_are_valid_and_names_are_given(layer: Layer) -> None:
    for area in layer.areas:
        assert shape_of(area).is_valid, area.key
        assert area.name.strip()
        assert area.name_en.isascii(), area.name_en


def test_every_commune_has_a_parent_and_a_former_district() -> None:
    parents = {area.key for area in LAYERS["provinces-2025"].areas}
    assert {area.parent for area in LAYERS["communes-2025"].areas} == parents
    districts = {area.key for area in LAYERS["districts-2024"].areas}
    former = {commune.former_district for commune in communes()}
    assert districts <= former
    assert len(former) == 27


def test_each_commune_holds_its_point() -> None:
    areas = {area.key: shape_of(area) for area in LAYERS["communes-2025"].areas}
    outside = [c.name for c in communes() if not areas[c.code].covers(shapely.Point(c.longitude_deg, c.latitude_deg))]
    assert outside in ([], ["Đặc khu Cát Hải"])  # the middle of an archipelago may lie in the sea


def test_communes_do_not_overlap() -> None:
    shapes = [shape_of(area) for area in LAYERS["communes-2025"].areas]
    union = shapely.union_all(shapes).area
    assert sum(shape.area for shape in shapes) == pytest.approx(union, rel=1e-3)


def test_bach_long_vi_lies_far_offshore() -> None:
    island = next(area for area in LAYERS["districts-2024"].areas if area.key == "318")
    mainland = next(area for area in LAYERS["districts-2024"].areas if area.key == "308")
    assert shape_of(island).distance(shape_of(mainland)) > 0.9  # degrees: about 100 km


def test_package_data_is_small_and_carries_its_licence() -> None:
    folder = files("measurement.gazetteer")
    assert sum(len(f.read_bytes()) for f in folder.iterdir() if f.name.endswith(".geojson")) < 400_000
    assert "Tran Ngoc Minh Hieu" in (folder / "LICENSE.vietnamadminunits").read_text(encoding="utf-8")


def agreement(layer: str, file: str) -> float:
    real = areas_from_geojson((BOUNDARIES / file).read_bytes())
    west, east, south, north = 106.1, 107.2, 20.55, 21.25
    rng = np.random.default_rng(7)
    points = np.column_stack([rng.uniform(west, east, 100_000), rng.uniform(south, north, 100_000)])
    truth = labels(real, points)
    on_land = truth != ""
    return float((labels(LAYERS[layer].areas, points)[on_land] == truth[on_land]).mean())


@pytest.mark.skipif(not BOUNDARIES.is_dir(), reason="real boundaries of Hải Phòng are not beside this checkout")
@pytest.mark.parametrize(
    ("layer", "file"),
    [
        ("communes-2025", "hai_phong_114_wards_2025.geojson"),
        ("districts-2024", "hai_phong_15_districts_pre2025.geojson"),
    ],
)
def test_agreement_with_real_boundaries_is_as_documented(layer: str, file: str) -> None:
    text = (ROOT / "docs" / "gazetteer.md").read_text(encoding="utf-8")
    row = re.search(rf"\| `{layer}` \| `[^`]*` \| (\d+) % \|", text)
    assert row, layer
    assert agreement(layer, file) == pytest.approx(int(row.group(1)) / 100, abs=0.006)
