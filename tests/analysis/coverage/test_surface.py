"""Surfaces against fields whose truth is known, and against input that is poor."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.coverage.blocks import Blocks, average
from analysis.coverage.direction import Stretch, parse
from analysis.coverage.kriging import krige
from analysis.coverage.neighbours import POOL, around, beyond, nearest
from analysis.coverage.surface import fit_surface, probability_above
from analysis.coverage.trend import log_distance_trend
from analysis.coverage.variogram import Model
from analysis.coverage.widening import Misses, Widening, widening
from measurement.errors import ConfigError

NOWHERE = np.zeros((0, 2))


def field(points: np.ndarray) -> np.ndarray:
    return np.asarray(-95 + 8 * np.sin(points[:, 0] / 700) + 6 * np.cos(points[:, 1] / 900))


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
    middle = np.array([[1000.0, 1000.0]])
    near = nearest(points, middle)
    clean = krige(points, values, middle, near, model).mean[0]
    values[near.place[0, 3]] -= 60
    assert abs(krige(points, values, middle, near, model).mean[0] - clean) < 4


def test_nothing_within_the_radius_is_used() -> None:
    rng = np.random.default_rng(5)
    points = rng.uniform(0, 1000, (300, 2))
    near, kept = beyond(points, points, 200.0)
    assert len(kept) == 300
    assert near.place.shape == (300, POOL)
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


def test_neighbours_come_from_every_side() -> None:
    """A street of samples beside the target must not crowd out the few on the other side."""
    street = np.stack((np.full(40, 100.0), np.linspace(-200, 200, 40)), -1)
    points = np.concatenate((street, [[-300.0, 10.0], [-310.0, 60.0], [-200.0, -300.0]]))
    target = np.zeros((1, 2))
    chosen = around(points, target, nearest(points, target), 12)
    assert {40, 41, 42} <= set(chosen.place[0].tolist())
    assert chosen.place[0, 0] == nearest(points, target).place[0, 0]
    assert (np.diff(chosen.distance_m) >= 0).all()


def along(bearing_deg: float, count: int = 700, seed: int = 11) -> Blocks:
    """Return blocks of a field whose waves lie across a bearing: alike along it, changing fast across."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 4000, (count, 2))
    east, north = np.sin(np.radians(bearing_deg)), np.cos(np.radians(bearing_deg))
    away, forward = points[:, 0] * north - points[:, 1] * east, points[:, 0] * east + points[:, 1] * north
    values = -95 + 8 * np.sin(away / 250) + 3 * np.sin(forward / 900) + rng.normal(0, 1, count)
    return blocks_at(points, values)


@pytest.mark.parametrize("bearing", [20.0, 110.0])
def test_a_field_that_is_alike_along_a_bearing_is_found_so(bearing: float) -> None:
    blocks = along(bearing)
    surface = fit_surface(blocks, NOWHERE, np.random.default_rng(1))
    plain = fit_surface(blocks, NOWHERE, np.random.default_rng(1), stretch=Stretch(1.0, 0.0))
    assert surface is not None
    assert plain is not None
    assert surface.model.ratio > 1.3
    assert abs(surface.model.bearing_deg - bearing) <= 20
    assert surface.reports[0].rmse < 0.95 * plain.reports[0].rmse
    assert surface.reports[1].scheme == "held out 200 m, isotropic"
    assert surface.reports[1].rmse > surface.reports[0].rmse
    assert all("isotropic" not in report.scheme for report in plain.reports)


def test_a_given_stretch_is_taken() -> None:
    surface = fit_surface(along(45.0), NOWHERE, np.random.default_rng(1), stretch=Stretch(2.0, 45.0))
    assert surface is not None
    assert {(one.model.ratio, one.model.bearing_deg) for one in surface.candidates} == {(2.0, 45.0)}


@pytest.mark.parametrize("text", ["1.5", "0.5@10", "2@200", "a@b", "nan@10", "1@2@3"])
def test_a_stretch_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--anisotropy: Invalid"):
        parse(text)


def test_intervals_hold_where_a_site_was_never_measured() -> None:
    """Sites differ by more than distance says: leaving one out whole must still be covered."""
    rng = np.random.default_rng(12)
    points = rng.uniform(0, 5000, (900, 2))
    masts = rng.uniform(0, 5000, (25, 2))
    site = np.hypot(*(points[:, None] - masts[None]).transpose(2, 0, 1)).argmin(1)
    values = field(points) + rng.normal(0, 2, 25)[site] + rng.normal(0, 2, 900)
    blocks = Blocks(points, values, np.ones(900, np.int64), site)
    surface = fit_surface(blocks, NOWHERE, np.random.default_rng(1))
    assert surface is not None
    reports = {report.scheme: report.coverage for report in surface.reports}
    assert 0.90 <= reports["one site out"] <= 0.98
    assert 0.90 <= reports["held out 200 m"] <= 0.98


def test_intervals_widen_where_neighbours_disagree() -> None:
    rng = np.random.default_rng(13)
    points = rng.uniform(0, 6000, (1200, 2))
    rough = points[:, 0] > 3000
    values = field(points) + rng.normal(0, np.where(rough, 8.0, 2.0))
    surface = fit_surface(blocks_at(points, values), NOWHERE, rng)
    assert surface is not None
    left, right = surface.predict(np.array([[1500.0, 3000.0], [4500.0, 3000.0]])).sigma
    assert right > 1.3 * left


def test_widening_needs_enough_errors_and_has_bounds() -> None:
    few = Misses(np.full(5, 60.0), np.full(5, 9.0))
    assert widening([few]) == Widening()
    wild = Misses(np.full(50, 60.0), np.full(50, 99.0))
    assert widening([wild]).factor == (3.0,)


def test_other_sites_widen_intervals_but_not_beyond_use() -> None:
    errors = np.random.default_rng(1).normal(0, 1, 4000)
    near = Misses(np.full(4000, 60.0), errors)
    plain = widening([near]).factor[0]
    little, much = (widening([near], Misses(near.distance_m, errors * by)).factor[0] for by in (1.25, 9.0))
    assert plain == pytest.approx(1.0, abs=0.05)
    assert plain < little < much < 1.3
    assert np.mean(np.abs(1.25 * errors) <= 1.959964 * little) == pytest.approx(0.92, abs=0.01)
    assert np.mean(np.abs(errors) <= 1.959964 * much) == pytest.approx(0.975, abs=0.005)


def test_one_cell_has_a_surface_but_no_other_site_to_leave_out() -> None:
    rng = np.random.default_rng(14)
    points = rng.uniform(0, 1500, (120, 2))
    blocks = Blocks(points, field(points), np.ones(120, np.int64), np.zeros(120, np.int64))
    surface = fit_surface(blocks, NOWHERE, rng)
    assert surface is not None
    assert "one site out" not in [report.scheme for report in surface.reports]
    assert np.isfinite(surface.predict(points).mean).all()


def test_nothing_is_surer_for_being_farther_off() -> None:
    errors = np.random.default_rng(1).normal(0, 1, 500)
    found = widening([Misses(np.full(500, at), errors * by) for at, by in ((20.0, 1.8), (210.0, 1.2), (500.0, 2.0))])
    assert found.factor[0] == pytest.approx(found.factor[1])
    assert found.factor[1] < found.factor[2]
