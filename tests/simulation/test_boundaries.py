"""The city also stands on real boundaries."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from measurement.geography import Layer, areas_from_geojson
from simulation.city import City, Scale

BOUNDARIES = Path(__file__).parents[2] / "../shared/data/boundaries"


@pytest.mark.skipif(not BOUNDARIES.is_dir(), reason="real boundaries of Hải Phòng are not beside this checkout")
def test_people_and_stations_lie_in_the_real_communes() -> None:
    data = (BOUNDARIES / "hai_phong_114_wards_2025.geojson").read_bytes()
    real = Layer(
        key="communes-2025",
        title_en="Communes",
        title_vi="Xã, phường",
        areas=areas_from_geojson(data, name="fullName", name_en="fullNameEn"),
    )
    city = City(3, communes=12, scale=Scale(100, 200, 14), layers=[real])
    frame = pl.concat(city.records(3000, days=3))
    own = frame.filter(pl.col("mode") != "drive")["areas_communes_2025"]
    assert own.null_count() < 0.02 * own.len()
    assert set(city.settlement.keys) <= set(own.drop_nulls())
    assert len(city.stations) == pytest.approx(100, abs=40)
    assert {0, 1, 2} & set(city.settlement.kinds)
