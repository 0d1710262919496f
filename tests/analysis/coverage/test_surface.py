"""Surfaces against fields whose truth is known, and against input that is poor."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.coverage.blocks import Blocks, average
from analysis.coverage.kriging import krige
from analysis.coverage.neighbours import beyond, nearest
from analysis.coverage.surface import fit_surface, probability_above
from analysis.coverage.trend import log_distance_trend
from analysis.coverage.variogram import Model

NOWHERE = np.zeros((0, 2))


def field(points: np.ndarray) -> np.ndarray:
    return -95 + 8 * np.sin(points[:, 0] / 700) + 6 * np.cos(points[:, 1] / 900)


def blocks_at(points: np.ndarray, values: np.ndarray) -> Blocks:
    count = len(values)
    return Blocks(points, values, np.ones(count, np.int64), np.full(count, -1))


def test_surface_finds_a_known_field_and_its_intervals_hold() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(0, 4000, (700, 2))
    surface = fit_surface(blocks_at(points, field(points) + rng.normal(0, 3, 700)), NOWHERE, rng)
    assert surface is not None
    targets = rng.uniform(300, 3700, (500, 2))
    said = surface.predict(targets)
    assert np.sqrt(np.mean((said.mean - field(targets)) ** 2)) < 1.6
    measured = field(targets) + rng.normal(0, 3, 500)
    assert 0.90 <= np.mean(np.abs(measured - said.mean) <= 1.96 * said.sigma) <= 0.99
    held = surface.reports[0]
    assert held.rmse < held.idw_rmse
    assert 0.90 <= held.coverage <= 0.99


def test_an_outlier_moves_the_surface_little() -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform(0, 2000, (200, 2))
    values = field(points)
    model = Model("matern-3/2", 2.0, 60.0, 600.0)
    near = nearest(points, np.array([[1000.0, 1000.0]]))
    clean = krige(points, values, near, model).mean[0]
    values[near.place[0, 3]] -= 60
    assert abs(krige(points, values, near, model).mean[0] - clean) < 4


def test_nothing_within_the_radius_is_used() -> None:
    rng = np.random.default_rng(5)
    points = rng.uniform(0, 1000, (300, 2))
    near, kept = beyond(points, points, 200.0)
    assert len(kept) == 300
    assert near.distance_m.min() >= 200
    gap = np.hypot(*(points[near.place] - points[:, None]).transpose(2, 0, 1))
    np.testing.assert_allclose(gap, near.distance_m)


def test_a_site_is_left_out_whole() -> None:
    rng = np.random.default_rng(6)
    points, site = rng.uniform(0, 1000, (120, 2)), rng.integers(0, 4, 120)
    near, kept = beyond(points, points, 0.0, 8, site, site)
    assert (site[near.place] != site[kept][:, None]).all()


@pytest.mark.parametrize(
    ("points", "is_surface"),
    [
        (np.stack((np.linspace(0, 3000, 60), np.zeros(60)), -1), True),  # collinear
        (np.array([[0.0, 0.0], [60.0, 0.0], [0.0, 60.0], [500.0, 10.0], [90.0, 800.0]]), True),  # five
        (np.array([[0.0, 0.0], [100.0, 0.0]]), False),  # too few
    ],
    ids=["collinear", "five", "two"],
)
def test_poor_input(points: np.ndarray, is_surface: bool) -> None:
    surface = fit_surface(blocks_at(points, field(points)), NOWHERE, np.random.default_rng(1))
    assert (surface is not None) is is_surface
    if surface is not None:
        said = surface.predict(np.array([[40.0, 30.0], [50_000.0, 0.0]]))
        assert np.isfinite(said.mean).all()
        assert said.sigma[1] >= said.sigma[0] > 0


def test_identical_positions_are_one_block_and_a_device_counts_once() -> None:
    points = np.zeros((100, 2))
    values = np.concatenate((np.full(99, -80.0), [-100.0]))
    device = np.concatenate((np.zeros(99, np.int64), [1]))
    blocks = average(points, values, device, np.full(100, -1))
    assert blocks.values == pytest.approx([-90.0])
    assert fit_surface(blocks, NOWHERE, np.random.default_rng(1)) is None


def test_equal_values_are_no_error() -> None:
    points = np.random.default_rng(2).uniform(0, 2000, (80, 2))
    surface = fit_surface(blocks_at(points, np.full(80, -90.0)), NOWHERE, np.random.default_rng(1))
    assert surface is not None
    assert surface.predict(points[:3]).mean == pytest.approx([-90.0] * 3)


def test_stations_at_wrong_places_do_no_harm() -> None:
    rng = np.random.default_rng(8)
    mast = np.array([[1000.0, 1000.0], [3000.0, 2500.0]])
    points = rng.uniform(0, 4000, (500, 2))
    distance = np.min(np.hypot(*(points[:, None] - mast[None]).transpose(2, 0, 1)), axis=1)
    values = -95 - 35 * np.log10(np.maximum(distance, 50) / 1000) + rng.normal(0, 4, 500)
    right = fit_surface(blocks_at(points, values), mast, np.random.default_rng(1))
    wrong = fit_surface(blocks_at(points, values), rng.uniform(0, 4000, (2, 2)), np.random.default_rng(1))
    without = fit_surface(blocks_at(points, values), NOWHERE, np.random.default_rng(1))
    assert right is not None
    assert wrong is not None
    assert without is not None
    assert right.trend.slope < -20
    assert right.reports[0].rmse < without.reports[0].rmse
    assert wrong.reports[0].rmse < without.reports[0].rmse * 1.03


def test_a_trend_that_rises_with_distance_is_refused() -> None:
    points = np.stack((np.linspace(100, 3000, 40), np.zeros(40)), -1)
    assert log_distance_trend(np.zeros((1, 2)), points, 30 * np.log10(points[:, 0])) is None


def test_probability_is_the_normal_one() -> None:
    rng = np.random.default_rng(9)
    points = rng.uniform(0, 2000, (150, 2))
    surface = fit_surface(blocks_at(points, field(points)), NOWHERE, rng)
    assert surface is not None
    said = surface.predict(points[:5])
    assert probability_above(said, -1000.0) == pytest.approx([1.0] * 5)
    assert probability_above(said, 0.0) == pytest.approx([0.0] * 5, abs=1e-6)
