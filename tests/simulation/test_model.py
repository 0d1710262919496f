"""The radio model against its own standard and against what chance should give."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
import shapely

from simulation.antenna import pattern
from simulation.city import City, Mix, Scale
from simulation.panel import DRIVE, INDOOR, ROAD_STEP_M, homes
from simulation.plane import to_metres, to_sphere
from simulation.propagation import RMA, UMA, loss_rma, loss_uma, sight_probability_rma, sight_probability_uma, wall_loss
from simulation.schedule import Habits
from simulation.service import downlink_bps, rsrq_db, share, sinr_db
from simulation.shadowing import Fields
from simulation.stations import SECTORS

YES, NO = np.array([True]), np.array([False])


def one(value: float) -> np.ndarray:
    return np.array([value])


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        # Recomputed by hand from TR 38.901 Table 7.4.1-1 at 3.5 GHz, 25 m: break point 4·24·0.5·3.5e9/2.998e8 = 560 m.
        (200.0, 28 + 22 * np.log10(np.hypot(200, 23.5)) + 20 * np.log10(3.5)),
        (1000.0, 28 + 40 * np.log10(np.hypot(1000, 23.5)) + 20 * np.log10(3.5) - 9 * np.log10(560.374**2 + 23.5**2)),
    ],
)
def test_uma_in_sight(distance: float, expected: float) -> None:
    assert loss_uma(one(distance), one(25.0), 3.5, YES)[0] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("height", [25.0, 40.0])
@pytest.mark.parametrize("model", [loss_uma, loss_rma])
def test_loss_is_continuous_rises_with_distance_and_is_no_less_without_sight(
    model: Callable[..., np.ndarray], height: float
) -> None:
    metres = np.linspace(15, 9000, 4000)
    heights = np.full_like(metres, height)
    clear = model(metres, heights, 1.8, np.ones_like(metres, dtype=bool))
    blocked = model(metres, heights, 1.8, np.zeros_like(metres, dtype=bool))
    assert (np.diff(clear) > 0).all()
    assert np.abs(np.diff(clear)).max() < 1.0
    assert (blocked >= clear).all()


def test_sight_falls_from_one_to_nothing() -> None:
    metres = np.array([5.0, 100.0, 500.0, 3000.0])
    for chance in (sight_probability_uma(metres), sight_probability_rma(metres)):
        assert chance[0] == 1
        assert (np.diff(chance) < 0).all()
        assert chance[-1] < 0.06


def test_walls_cost_more_at_higher_frequencies() -> None:
    assert 10 < wall_loss(0.9) < wall_loss(1.8) < wall_loss(3.5) < 16


def test_three_sectors_cover_the_circle_alike() -> None:
    around = np.arange(0, 360, 1.0)
    best = np.max([pattern(around - 120 * sector) for sector in range(SECTORS)], axis=0)
    assert best.max() == 0
    assert best.min() == pytest.approx(pattern(np.array([60.0]))[0])


@pytest.mark.parametrize("reach", [37.0, 120.0])
def test_shadow_has_unit_variance_and_falls_to_1_over_e_at_its_reach(reach: float) -> None:
    rng = np.random.default_rng(8)
    fields = Fields(rng, 400, reach)
    number = np.arange(400)
    origin = fields.at(number, np.zeros(400), np.zeros(400))
    spread = np.mean([fields.at(number, np.full(400, 97.0 * k), np.full(400, -61.0 * k)).std() for k in range(12)])
    assert spread == pytest.approx(1.0, abs=0.05)

    def correlation(metres: float) -> float:
        pairs = [
            np.mean(
                fields.at(number, np.full(400, x), np.zeros(400))
                * fields.at(number, np.full(400, x + metres), np.zeros(400))
            )
            for x in np.linspace(0, 40 * reach, 60)
        ]
        return float(np.mean(pairs))

    assert correlation(0.0) == pytest.approx(1.0, abs=0.05)
    assert correlation(reach) == pytest.approx(np.exp(-1), abs=0.08)
    assert abs(correlation(6 * reach)) < 0.05
    assert abs(origin.mean()) < 0.2


def test_scatter_is_the_standards() -> None:
    assert (UMA.los_db, UMA.nlos_db, UMA.los_m, UMA.nlos_m) == (4, 6, 37, 50)
    assert (RMA.los_db, RMA.nlos_db, RMA.los_m, RMA.nlos_m) == (4, 8, 37, 120)


def test_sinr_and_rsrq_fall_with_load() -> None:
    load = np.linspace(0.05, 0.95, 10)
    level, others, noise = np.full(10, -90.0), np.full(10, 1e-10), np.full(10, 1e-13)
    assert (np.diff(sinr_db(level, others, noise, load)) < 0).all()
    assert (np.diff(rsrq_db(level, others, noise, load)) <= 0).all()
    assert rsrq_db(level, others, noise, load).max() <= -3


def test_rate_rises_with_sinr_falls_with_load_and_stops_at_the_device() -> None:
    sinr, technology = np.linspace(-10, 30, 20), np.zeros(20, dtype=np.int64)
    rate = downlink_bps(sinr, np.full(20, 0.3), technology, np.full(20, 60e6), np.ones(20))
    assert (np.diff(rate) >= 0).all()
    assert (np.diff(share(np.linspace(0, 1, 50))) <= 0).all()
    assert downlink_bps(one(60.0), one(0.0), technology[:1], one(1e12), one(1.0))[0] == 0.3e9


def test_plane_goes_round() -> None:
    rng = np.random.default_rng(2)
    lonlat = np.column_stack([rng.uniform(106, 108, 50), rng.uniform(20, 21.3, 50)])
    assert np.allclose(to_sphere(to_metres(lonlat[:, 0], lonlat[:, 1])), lonlat)


@pytest.fixture(scope="module")
def city() -> City:
    return City(21, communes=5, scale=Scale(120, 200, 12))


def test_a_place_asked_twice_answers_alike_and_levels_fall_away_from_masts(city: City) -> None:
    ether = next(iter(city.ethers.values()))
    mast = ether.net.points[0]
    heading = np.radians(ether.net.azimuth_deg[0])
    metres = np.array([50.0, 4000.0])
    points = mast + metres[:, None] * np.array([np.sin(heading), np.cos(heading)])
    first, again = ether.receive(points, np.zeros(2)), ether.receive(points, np.zeros(2))
    assert np.array_equal(first.rsrp_dbm, again.rsrp_dbm)
    walls = ether.receive(points, np.full(2, 15.0))
    assert np.allclose(first.rsrp_dbm - walls.rsrp_dbm, 15.0)
    assert first.rsrp_dbm[0] > -85


def test_a_large_batch_is_the_same_as_its_parts(city: City) -> None:
    ether = next(iter(city.ethers.values()))
    rng = np.random.default_rng(4)
    points = city.settlement.places(homes(city.settlement, 300, rng), rng)
    whole = ether.receive(points, np.zeros(300))
    parts = [ether.receive(points[k : k + 100], np.zeros(100)).rsrp_dbm for k in (0, 100, 200)]
    assert np.allclose(whole.rsrp_dbm, np.concatenate(parts))


def test_indoor_spots_are_weaker(city: City) -> None:
    level = city.links.rsrp_dbm[:, 0]
    indoor = city.panel.spots.environment == INDOOR
    assert level[indoor].mean() < level[~indoor].mean() - 6


def test_cars_drive_on_and_keep_30_seconds(city: City) -> None:
    tests = Habits(city.panel.devices, Mix(0, 0, 1, 0)).day(date(2026, 5, 1), 3000, np.random.default_rng(1))
    for device in np.flatnonzero(city.panel.devices.kind == DRIVE)[:4]:
        rows = tests.device == device
        seconds, spots = tests.second[rows], tests.spot[rows]
        assert np.diff(seconds).min() >= 29.9
        way = np.linalg.norm(np.diff(city.panel.spots.points[spots], axis=0), axis=1)
        speed = way / np.diff(seconds)
        assert np.median(speed) < 12
        assert ROAD_STEP_M == 50


def test_people_fill_their_own_communes(city: City) -> None:
    rng = np.random.default_rng(9)
    home = homes(city.settlement, 2000, rng)
    counts = np.bincount(home, minlength=5) / 2000
    assert np.allclose(counts, city.settlement.people / city.settlement.people.sum(), atol=0.05)
    places = city.settlement.places(home, rng)
    for commune, shape in enumerate(city.settlement.shapes):
        own = places[home == commune]
        assert shapely.intersects_xy(shape, own[:, 0], own[:, 1]).all()
