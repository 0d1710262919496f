"""The truth is true: its quantiles are right, unbiased panels approach it, biased ones do not, holes and skew show."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from simulation import truth
from simulation.city import City, Mix, Scale

PHONES = Mix(0, 1, 0, 0)


def weighted(values: list[float], weights: list[float]) -> pl.DataFrame:
    draws = pl.DataFrame(
        {
            "throughput_downlink_goodput_bps": values,
            "weight": weights,
            "area": ["a"] * len(values),
        }
    )
    return truth.summarise(draws, ["area"], truth.rank(draws, ["downlink"]))


def test_weighted_quantiles_by_hand() -> None:
    row = weighted([10.0, 20.0, 30.0, 40.0], [1.0, 1.0, 1.0, 7.0]).row(0, named=True)
    assert (row["p10"], row["median"], row["p90"]) == (10.0, 40.0, 40.0)
    assert row["mean"] == pytest.approx(34.0)
    assert row["draws"] == 4


def test_equal_weights_give_plain_quantiles() -> None:
    values = np.random.default_rng(3).lognormal(17, 0.8, 1001)
    row = weighted(values.tolist(), [2.0] * 1001).row(0, named=True)
    assert row["median"] == np.sort(values)[500]
    assert row["mean"] == pytest.approx(values.mean())
    assert row["standard_error"] == pytest.approx(values.std() / 1001**0.5)


def city(**options: object) -> City:
    scale = Scale(stations=90, phones=6000, probes=5)
    return City(11, communes=3, scale=scale, mix=PHONES, **{"skew": 0.0, **options})  # type: ignore[arg-type]


def rated(frame: pl.DataFrame) -> pl.Series:
    kept = frame.filter(pl.col("device_limited_by") == "network")
    return kept["throughput_downlink_goodput_bps"].drop_nulls()


@pytest.fixture(scope="module")
def plain() -> City:
    return city()


@pytest.fixture(scope="module")
def draws(plain: City) -> pl.DataFrame:
    return truth.draw(plain, 40_000)


def median_of(draws: pl.DataFrame) -> float:
    one = draws.with_columns(pl.lit("x").alias("g"))
    return float(truth.summarise(one, ["g"], truth.rank(one, ["downlink"]))["median"][0])


def test_an_unbiased_panel_approaches_the_truth(plain: City, draws: pl.DataFrame) -> None:
    sample = pl.concat(plain.records(30_000, days=7))["throughput_downlink_goodput_bps"].drop_nulls()
    assert sample.median() == pytest.approx(median_of(draws), rel=0.06)


def test_a_panel_biased_to_good_signal_does_not(draws: pl.DataFrame) -> None:
    sample = pl.concat(city(quality_bias=1.5).records(30_000, days=7))["throughput_downlink_goodput_bps"].drop_nulls()
    assert sample.median() > 1.15 * median_of(draws)


def test_truth_repeats_and_standard_error_is_small(plain: City, draws: pl.DataFrame) -> None:
    assert truth.draw(plain, 40_000).equals(draws)
    areas = truth.of_areas(plain, draws, layers=["communes-2025"], weightings=["people"], kpis=["downlink"])
    own = areas.filter(
        pl.col("area").is_in(plain.settlement.keys), pl.col("operator") == "*", pl.col("technology") == "*"
    )
    assert own.height == 3
    assert (own["standard_error"] / own["mean"]).max() < 0.03


def test_weights_stand_for_all_people(plain: City, draws: pl.DataFrame) -> None:
    assert draws["weight"].sum() == pytest.approx(plain.settlement.people.sum(), rel=1e-9)


def test_skew_concentrates_tests_on_few_phones() -> None:
    def share_of_top(skew: float) -> float:
        frame = pl.concat(city(skew=skew).records(20_000, days=3))
        counts = frame["probe_id"].value_counts().sort("count", descending=True)["count"]
        return counts.head(60).sum() / counts.sum()

    assert share_of_top(0.0) < 0.03
    assert share_of_top(2.0) > 0.25


def test_a_hole_takes_the_signal_of_its_operator_only(plain: City) -> None:
    holed = city(holes=4)
    assert [s.id for s in holed.stations] == [s.id for s in plain.stations]
    assert len(holed.hole_list()) == 4
    for hole in holed.holes:
        point, street = np.array([[hole.x_m, hole.y_m]]), np.zeros(1)
        for key, ether in holed.ethers.items():
            if len(ether.net.points):
                loss = plain.ethers[key].receive(point, street).rsrp_dbm[0] - ether.receive(point, street).rsrp_dbm[0]
                own = [h for h in holed.holes if h.operator == key[0]]
                near = sum(np.hypot(h.x_m - hole.x_m, h.y_m - hole.y_m) < h.radius_m * 2 / 3 for h in own)
                assert loss >= 35.0 * near - 1e-9
                assert near or loss == 0 or any(np.hypot(h.x_m - hole.x_m, h.y_m - hole.y_m) < h.radius_m for h in own)


def test_truth_tables_have_the_documented_columns(plain: City) -> None:
    tables = truth.truth(plain, 5000)
    assert {"mean", "p10", "median", "p90", "standard_error", "draws", "kpi"} <= set(tables["areas"].columns)
    assert set(tables["areas"]["weighting"]) == {"people", "cells"}
    assert tables["base_stations"]["base_station_id"].is_in([s.id for s in plain.stations]).all()
    assert tables["hexagons"]["draws"].min() >= 20
    assert rated(tables["draws"]).len() > 0
