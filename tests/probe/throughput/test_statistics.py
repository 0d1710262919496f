"""The arithmetic of a rate: RMBT's rule, the interval and its coverage, when a line is warm."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.throughput import pretest
from probe.throughput.interval import FLOOR, batch_means, correlation, openness, steady, student
from probe.throughput.series import Series, common_end, rate_bps, slices, total_at


def series(*points: tuple[float, int]) -> Series:
    made = Series()
    for time_s, count in points:
        made.add(time_s, count)
    return made


def test_rate_ends_where_the_first_stream_ends() -> None:
    streams = [series((0, 0), (1, 1000), (2, 2000)), series((0, 0), (1.5, 3000))]
    assert common_end(streams) == 1.5
    assert rate_bps(streams, 0, 1.5) == pytest.approx((1500 + 3000) * 8 / 1.5)


def test_a_stream_that_began_later_counts_from_its_first_point() -> None:
    late = series((1.0, 500), (2.0, 1500))
    assert late.at(0.5) == 0
    assert late.at(1.0) == 500


def test_points_that_run_back_are_dropped() -> None:
    made = series((0, 0), (1, 100), (0.5, 200), (2, 50), (3, 300))
    assert (made.times, made.counts) == ([0, 1, 3], [0, 100, 300])


@given(st.lists(st.tuples(st.floats(0.001, 1), st.integers(0, 10**7)), min_size=2, max_size=60))
def test_slices_add_up_to_the_total(steps: list[tuple[float, int]]) -> None:
    made, now, count = Series(), 0.0, 0
    made.add(0.0, 0)
    for gap, size in steps:
        now, count = now + gap, count + size
        made.add(now, count)
    parts = slices([made], 0.0, now, 0.05)
    assert all(part >= -1e-6 for part in parts)
    assert sum(parts) == pytest.approx(total_at([made], len(parts) * 0.05), abs=1e-3)


def test_batch_means_leave_the_oldest_out() -> None:
    assert batch_means([100.0, *range(8)], 4) == [0.5, 2.5, 4.5, 6.5]


def test_correlation_knows_direction() -> None:
    rng = random.Random(1)
    noise = [rng.gauss(0, 1) for _ in range(4000)]
    walk = [0.0]
    for step in noise:
        walk.append(0.8 * walk[-1] + step)
    assert correlation(noise) == pytest.approx(0, abs=0.05)
    assert correlation(walk) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (10, 2.228), (30, 2.042), (60, 2.000), (1e6, 1.96)])
def test_student(freedom: float, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, abs=2e-3)


def lines(rho: float, spread: float, count: int, runs: int, seed: int) -> list[list[float]]:
    """Slices of a line whose rate wanders: AR(1) around 1 with this correlation from slice to slice."""
    rng, made = random.Random(seed), []
    for _ in range(runs):
        value = rng.gauss(0, spread)
        row = []
        for _ in range(count):
            row.append(1 + value)
            value = rho * value + rng.gauss(0, spread) * math.sqrt(1 - rho * rho)
        made.append(row)
    return made


@pytest.mark.parametrize("rho", [0.0, 0.4, 0.7])
@pytest.mark.parametrize("count", [30, 190])
def test_coverage_of_a_wandering_line(rho: float, count: int) -> None:
    """A wandering line of known mean: the interval holds it in 90 to 99 % of 600 runs, correlated slices or not."""
    hits = 0
    for row in lines(rho, 0.15, count, 600, seed=count):
        interval = steady(row, 0.0)
        assert interval is not None
        hits += interval.low <= 1 <= interval.high
    assert 0.90 <= hits / 600 <= 0.99


def test_ignoring_correlation_would_lie() -> None:
    """The same runs, with the interval of independent slices: the mutant that the batches are there against."""
    hits = 0
    for row in lines(0.7, 0.15, 190, 600, seed=190):
        mean = sum(row) / len(row)
        half = 1.97 * math.sqrt(sum((x - mean) ** 2 for x in row) / (len(row) - 1) / len(row))
        hits += abs(mean - 1) <= half
    assert hits / 600 < 0.7


def test_a_pause_widens_upwards() -> None:
    row = [1.0] * 30
    row[10:13] = [0.0, 0.1, 0.3]
    interval = steady(row)
    assert interval is not None
    assert interval.mean < 0.95
    assert interval.high >= 1.0


def test_a_flat_line_keeps_the_floor() -> None:
    interval = steady([5.0] * 40)
    assert interval is not None
    assert interval.relative == pytest.approx(FLOOR)
    assert openness(0.0, 1.0) == FLOOR
    assert openness(0.1, 1.0) > openness(0.1, 2.0) > FLOOR
    assert math.isinf(openness(0.1, 0.0))


def test_too_few_slices_say_nothing() -> None:
    assert steady([1.0] * 7) is None


def ramp(rates: list[float], step_s: float = 0.05) -> Series:
    made, now, count = Series(), 0.0, 0.0
    made.add(0.0, 0)
    for rate in rates:
        now, count = now + step_s, count + rate * step_s / 8
        made.add(now, round(count))
    return made


def test_a_ramp_is_not_warm_and_a_plateau_is() -> None:
    growing = [1e6 * 2**step for step in range(8)]
    assert not pretest.is_warm([ramp(growing)], 0.0, 0.02)
    assert pretest.is_warm([ramp(growing + [growing[-1]] * 6)], 0.0, 0.02)


def test_a_burst_is_not_warm() -> None:
    assert not pretest.is_warm([ramp([500e6] * 3 + [100e6] * 3)], 0.0, 0.01)


def test_streams_that_have_just_begun_are_not_warm() -> None:
    assert not pretest.is_warm([ramp([1e8] * 20)], 0.9, 0.01)


def test_a_long_line_needs_longer_windows() -> None:
    assert pretest.window_s(0.2) == 0.5
    assert not pretest.is_warm([ramp([1e8] * 15)], 0.0, 0.2)
