"""What a map opens on, and what it draws of a layer that is too large."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from maps.shapes import POINT_LIMIT, label_point, payload, quantise, shape
from maps.view import seam, unwrap
from measurement.gazetteer import layers as gazetteer
from measurement.geography import Layer
from tests.maps.city import square, wiggly


def layer(*areas: object) -> Layer:
    return Layer(key="test", title_en="Test", title_vi="Thử", areas=list(areas))  # type: ignore[arg-type]


def test_an_island_far_out_does_not_shrink_the_city() -> None:
    city = [square(f"a{i}", 106.6 + 0.1 * i, 20.8) for i in range(4)]
    shaped = shape(layer(*city, square("far", 107.7, 20.1, 0.02, "Bạch Long Vĩ")))
    west, east, south, north = shaped.view.box
    assert (round(west, 3), round(east, 3), round(south, 3), round(north, 3)) == (106.6, 107.0, 20.8, 20.9)
    assert list(shaped.view.far) == ["far"]


def test_two_cities_of_like_size_are_both_shown() -> None:
    shaped = shape(layer(square("hanoi", 105.8, 21.0), square("saigon", 106.6, 10.7)))
    assert shaped.view.far == {}
    assert shaped.view.box[2] < 11 < 21 < shaped.view.box[3]


def test_the_real_gazetteer_opens_on_the_city() -> None:
    for each in gazetteer():
        if each.key in ("communes-2025", "districts-2024"):
            shaped = shape(each)
            assert len(shaped.view.far) == 1
            assert shaped.view.box[1] < 107.3


def test_the_antimeridian_is_crossed_the_short_way() -> None:
    shaped = shape(layer(square("fiji", 179.8, -17.0), square("lau", -179.9, -17.05)))
    west, east, *_ = shaped.view.box
    assert 179 < west < east < 181
    assert east - west < 1
    for geometry in shaped.geometries:
        assert geometry.bounds[0] > 179


@given(st.lists(st.floats(-180, 180), min_size=1, max_size=30))
def test_no_arc_is_longer_than_needed(longitudes: list[float]) -> None:
    west = seam(longitudes)
    turned = [unwrap(x, west) for x in longitudes]
    assert max(turned) - min(turned) <= max(longitudes) - min(longitudes) + 1e-9
    assert all(
        (a - b) % 360 == pytest.approx(0, abs=1e-6) or (a - b) % 360 == pytest.approx(360)
        for a, b in zip(turned, longitudes, strict=True)
    )


def test_an_enormous_layer_is_simplified_without_gaps_and_said() -> None:
    shaped = shape(wiggly(60_000))
    assert shaped.point_count > 100_000
    assert shaped.drawn_count <= POINT_LIMIT
    assert shaped.is_simplified
    left, right = shaped.geometries
    assert shapely.coverage_is_valid(np.array([left, right], dtype=object)), "neighbours still share their border"
    assert payload(shaped)["points"][0] == shaped.point_count


def test_overlapping_areas_are_simplified_too() -> None:
    big = wiggly(30_000)
    overlapping = Layer(key="o", title_en="O", title_vi="O", areas=[big.areas[0], square("s", 106.2, 20.2, 0.6)])
    shaped = shape(overlapping)
    assert shaped.drawn_count <= POINT_LIMIT


def test_an_invalid_polygon_is_mended() -> None:
    bow = square("bow", 106.0, 20.0)
    ring = [(106.0, 20.0), (106.1, 20.1), (106.1, 20.0), (106.0, 20.1), (106.0, 20.0)]
    shaped = shape(layer(type(bow)(key="bow", name="Nơ", name_en="Bow", polygons=[[ring]])))
    assert all(geometry.is_valid and geometry.area > 0 for geometry in shaped.geometries)


def test_a_name_stands_inside_its_area() -> None:
    shaped = shape(gazetteer()[2])
    for geometry in shaped.geometries:
        x, y, radius = label_point(geometry)
        assert geometry.contains(shapely.Point(x, y))
        assert radius > 0


@given(st.lists(st.tuples(st.floats(100, 110), st.floats(8, 24)), min_size=3, max_size=20))
def test_quantised_rings_come_back_within_a_metre(points: list[tuple[float, float]]) -> None:
    steps = np.array(quantise([*points, points[0]])).reshape(-1, 2)
    back = steps.cumsum(axis=0) * 1e-5
    assert back[0] == pytest.approx(points[0], abs=1e-5)
    assert back[-1] == pytest.approx(points[0], abs=1e-5)
