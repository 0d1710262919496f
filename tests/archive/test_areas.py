import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.areas import AreaIndex
from measurement.geography import Layer
from tests.archive.places import COMMUNES, DISTRICTS, layer, real, square


def test_a_point_is_in_its_square_and_no_other() -> None:
    index = AreaIndex(layer("l", square("a", 0, 0), square("b", 2, 0, hole=True)))
    found = index.areas(np.array([0.5, 1.5, 2.1, 2.5, 9.0]), np.array([0.5, 0.5, 0.5, 0.5, 0.5]))
    assert list(found) == ["a", None, "b", None, None]


def test_a_point_on_a_shared_border_belongs_to_the_first() -> None:
    index = AreaIndex(layer("l", square("a", 0, 0), square("b", 1, 0)))
    assert list(index.areas(np.array([1.0]), np.array([0.5]))) == ["a"]
    index.build()
    assert list(index.areas(np.array([1.0]), np.array([0.5]))) == ["a"]


def test_nothing_asked_nothing_found() -> None:
    index = AreaIndex(layer("l", square("a", 0, 0)))
    assert list(index.areas(np.array([]), np.array([]))) == []


def test_a_bow_tie_is_mended_not_fatal() -> None:
    broken = layer("l", square("a", 0, 0))
    ring = [(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)]
    area = broken.areas[0]
    index = AreaIndex(
        Layer(key="l", title_en="", title_vi="", areas=[type(area)(key="a", name="a", name_en="a", polygons=[[ring]])])
    )
    assert list(index.areas(np.array([0.9, 0.5]), np.array([0.5, 0.9]))) == ["a", None]


@given(st.lists(st.tuples(st.floats(-0.5, 3.5), st.floats(-0.5, 1.5)), min_size=1, max_size=50))
@settings(max_examples=100, deadline=None)
def test_the_grid_says_what_the_polygons_say(points: list[tuple[float, float]]) -> None:
    x, y = np.array([p[0] for p in points]), np.array([p[1] for p in points])
    plain, grid = AreaIndex(SQUARES, levels=5), GRIDDED
    assert (grid.locate(x, y) == plain.locate(x, y)).all()
    singly = [grid.area(a, b) for a, b in points]
    assert singly == list(grid.areas(x, y)) == [plain.area(a, b) for a, b in points]


SQUARES = layer("l", square("a", 0, 0), square("b", 1, 0), square("c", 2.3, 0.1, hole=True), square("d", 2.0, 0.0))
GRIDDED = AreaIndex(SQUARES, levels=5)
GRIDDED.build()


@pytest.mark.parametrize("name", [COMMUNES, DISTRICTS])
def test_the_grid_is_exact_on_real_boundaries(name: str) -> None:
    index = AreaIndex(real(name, "real"))
    index.build()
    noise = np.random.default_rng(7)
    west, east, south, north = 106.1, 107.1, 20.5, 21.2
    x, y = noise.uniform(west, east, 60_000), noise.uniform(south, north, 60_000)
    # Half the points hug the borders, where a grid would err.
    edges = shapely.get_coordinates(index._shapes)
    chosen = edges[noise.integers(len(edges), size=60_000)] + noise.normal(0, 1e-5, (60_000, 2))
    x, y = np.concatenate([x, chosen[:, 0]]), np.concatenate([y, chosen[:, 1]])
    assert (index.locate(x, y) == index._exact(x, y)).all()
    assert (index.locate(x, y) >= 0).mean() > 0.3
