"""The coastline that the package carries, and areas cut at it."""

from __future__ import annotations

import shapely
from shapely.geometry import MultiPolygon, Point, box

from maps.coast import LEAST_SHARE, coast
from maps.shapes import shape
from measurement.gazetteer import layers
from tests.maps.city import square

CITY_HALL, OPEN_SEA, CAT_BA, BACH_LONG_VI = (106.68, 20.86), (107.3, 20.5), (107.0, 20.8), (107.729, 20.135)


def test_land_is_land_and_sea_is_sea() -> None:
    land = coast().land
    assert land.is_valid
    for place, dry in ((CITY_HALL, True), (CAT_BA, True), (BACH_LONG_VI, True), (OPEN_SEA, False)):
        assert land.contains(Point(place)) == dry, place
    assert "OpenStreetMap" in coast().attribution


def test_an_approximate_area_ends_at_the_shore_and_no_area_is_lost() -> None:
    for layer in layers():
        for area, geometry in zip(layer.areas, shape(layer).geometries, strict=True):
            assert not geometry.is_empty, area.key
            off = shapely.difference(geometry, coast().land).area / geometry.area
            assert off < 1e-9 or off > 1 - LEAST_SHARE, (area.key, off)


def test_what_is_surveyed_or_elsewhere_stays_as_it_is() -> None:
    from measurement.geography import Layer

    reaches_out = square("s", 107.25, 20.45, 0.6)
    surveyed = Layer(key="s", title_en="S", title_vi="S", areas=[reaches_out])
    assert shape(surveyed).geometries[0].equals(box(107.25, 20.45, 107.85, 21.05))
    far = MultiPolygon([box(2.0, 48.0, 3.0, 49.0)])
    assert coast().ashore([far, MultiPolygon()]) == [far, MultiPolygon()]
