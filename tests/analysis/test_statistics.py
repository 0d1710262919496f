from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.compare import BETTER, SAME, TOO_FEW, WORSE, Side, difference
from analysis.intervals import effective_ranks, order_ranks, wilson
from analysis.partition import parent_cell
from analysis.quantisation import BINS, MISSING, SCALES, SHARES
from analysis.ranking import discoveries, ranks
from measurement.kpi import KPIS


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_order_ranks_hold_the_quantile_and_no_narrower_ones_do(probability: float) -> None:
    for n in range(1, 200):
        low, high = (int(rank) for rank in order_ranks(n, probability))
        below, above = stats.binom.cdf(low - 1, n, probability), stats.binom.sf(high - 1, n, probability)
        assert below <= 0.025 or low == 0
        assert above <= 0.025
        assert stats.binom.cdf(low, n, probability) > 0.025
        assert stats.binom.sf(high - 2, n, probability) > 0.025 or high == 1


def test_the_median_needs_six_samples() -> None:
    assert [int(r) for r in order_ranks(5, 0.5)] == [0, 6]
    assert [int(r) for r in order_ranks(6, 0.5)] == [1, 6]


def test_effective_ranks_of_independent_samples_are_order_ranks() -> None:
    for n in (20, 100, 1000):
        low, high, effective = effective_ranks(0.5, 0.25 / n, n, 1.0)
        assert float(effective) == pytest.approx(n)
        exact = order_ranks(n, 0.5)
        assert int(np.ceil(float(low) * n)) == int(exact[0])
        assert int(np.ceil(float(high) * n)) == int(exact[1])


@given(st.floats(0, 1), st.floats(1, 1e6))
@settings(max_examples=200, deadline=None)
def test_wilson_holds_its_estimate(share: float, count: float) -> None:
    low, high = wilson(share, count)
    assert 0 <= low <= share <= high <= 1


def test_every_kpi_has_a_scale_that_keeps_it() -> None:
    assert set(SCALES) == {kpi.id for kpi in KPIS}
    for scale in SCALES.values():
        codes = scale.encode(scale.centres[: scale.steps + 1] if not scale.is_log else scale.centres)
        assert (codes == np.arange(len(codes))).all(), scale.kpi
        assert scale.encode([np.nan])[0] == MISSING
        assert max(scale.encode([1e30])[0], scale.encode([-1e30])[0]) < BINS
    rng = np.random.default_rng(1)
    for kpi in ("downlink", "latency", "jitter"):
        values = np.exp(rng.uniform(np.log(SCALES[kpi].low), np.log(SCALES[kpi].high), 1000))
        assert np.abs(SCALES[kpi].centres[SCALES[kpi].encode(values)] / values - 1).max() < 0.0045
    for kpi in ("rsrp", "rsrq", "sinr"):
        half = np.arange(SCALES[kpi].low, SCALES[kpi].high, 0.5)
        assert (SCALES[kpi].centres[SCALES[kpi].encode(half)] == half).all()
    for kpi in SHARES:
        assert SCALES[kpi].centres[SCALES[kpi].encode([0.05])[0]] == pytest.approx(0.05)


def test_parents_are_those_of_h3() -> None:
    h3 = pytest.importorskip("h3.api.basic_int")
    rng = np.random.default_rng(2)
    cells = [
        h3.latlng_to_cell(float(y), float(x), 10)
        for x, y in zip(rng.uniform(-180, 180, 200), rng.uniform(-89, 89, 200), strict=True)
    ]
    for resolution in (9, 8):
        assert parent_cell(cells, resolution).tolist() == [h3.cell_to_parent(cell, resolution) for cell in cells]


def test_false_discoveries_stay_under_their_rate() -> None:
    rng = np.random.default_rng(3)
    false = [discoveries(rng.random(100)).any() for _ in range(500)]
    assert np.mean(false) < 0.08


def test_equals_tie_and_the_clear_do_not() -> None:
    low, high = ranks([70.0, 50.0, 50.5, 20.0], [1.0, 2.0, 2.0, 1.0], [30.0] * 4)
    assert low.tolist() == [1, 2, 2, 4]
    assert high.tolist() == [1, 3, 3, 4]
    low, high = ranks([50.0], [1.0], [30.0])
    assert (low.tolist(), high.tolist()) == ([1], [1])


def sides(seed: int, factor: float, devices: int = 60) -> tuple[Side, Side]:
    rng = np.random.default_rng(seed)
    device = np.repeat(np.arange(devices), 10)
    gain = np.exp(rng.normal(0, 0.4, devices))[device]
    weight = np.full(len(device), 0.1)
    one = Side(40e6 * gain * np.exp(rng.normal(0, 0.3, len(device))), device, weight)
    return one, Side(factor * 40e6 * gain * np.exp(rng.normal(0, 0.3, len(device))), device, weight)


def test_a_difference_is_found_and_its_direction_is_the_kpis() -> None:
    first, second = sides(1, 1.5)
    assert difference(first, second, "downlink", np.random.default_rng(1)).verdict == BETTER
    found = difference(first, second, "latency", np.random.default_rng(1))
    assert found.verdict == WORSE
    assert found.low < found.change < found.high
    assert found.change == pytest.approx(1.5, rel=0.1)
    again = difference(first, second, "latency", np.random.default_rng(1))
    assert found == again


def test_no_difference_is_said_to_be_none() -> None:
    verdicts = [difference(*sides(seed, 1.0), "downlink", np.random.default_rng(seed)).verdict for seed in range(40)]
    assert verdicts.count(SAME) >= 35


def test_too_few_devices_say_nothing() -> None:
    assert difference(*sides(1, 2.0, devices=5), "downlink", np.random.default_rng(1)).verdict == TOO_FEW
