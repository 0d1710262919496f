import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measurement.vocabulary import LatencyMethod
from probe import responsiveness
from probe.latency.statistics import Echoes, loss_by_direction, summarise, wilson_interval

NAN = math.nan


def echoes(rtt: list[float], reflected: list[int] | None = None, **more: object) -> Echoes:
    return Echoes(
        LatencyMethod.STAMP, rtt, [0.05 * i for i in range(len(rtt))], reflected or [-1] * len(rtt),
        is_stateful=reflected is not None, **more,
    )  # fmt: skip


def test_figures_of_a_known_series() -> None:
    result = summarise(echoes([10.0, 20.0, NAN, 30.0, 40.0]))
    assert (result.sent_count, result.received_count) == (5, 4)
    assert (result.rtt_min_ms, result.rtt_median_ms, result.rtt_mean_ms) == (10.0, 25.0, 25.0)
    assert result.rtt_p95_ms == pytest.approx(38.5)
    assert result.ipdv_mean_ms == pytest.approx(10.0)  # the pairs 10-20 and 30-40; the lost one makes no pair
    assert result.pdv_p95_ms == pytest.approx(28.5)
    assert result.loss_ratio == pytest.approx(0.2)
    assert result.loss_uplink_ratio is None


def test_nothing_came_back() -> None:
    result = summarise(echoes([NAN] * 4))
    assert (result.received_count, result.loss_ratio, result.rtt_min_ms, result.pdv_p95_ms) == (0, 1.0, None, None)


def test_nothing_was_sent() -> None:
    assert summarise(echoes([])).loss_ratio is None


def test_times_stay_in_the_range_of_the_record() -> None:
    result = summarise(echoes([0.0, 70_000.0]))
    assert (result.rtt_min_ms, result.rtt_p95_ms) == (0.001, pytest.approx(57_000, rel=0.01))


def simulated(count: int, up: float, down: float, seed: int) -> Echoes:
    """A line that loses a share on the way up and another on the way down, before a reflector that counts."""
    rng, counted = random.Random(seed), 0
    rtt, reflected = [], []
    for _ in range(count):
        if rng.random() < up:
            rtt.append(NAN)
            reflected.append(-1)
            continue
        number, counted = counted, counted + 1
        is_back = rng.random() >= down
        rtt.append(5.0 if is_back else NAN)
        reflected.append(number if is_back else -1)
    return echoes(rtt, reflected)


@pytest.mark.parametrize(("up", "down"), [(0.0, 0.05), (0.05, 0.0), (0.1, 0.02), (0.0, 0.0)])
def test_loss_is_told_by_direction(up: float, down: float) -> None:
    loss = loss_by_direction(simulated(20_000, up, down, seed=1))
    assert loss.uplink == pytest.approx(up, abs=0.006)
    assert loss.downlink == pytest.approx(down, abs=0.006)
    assert loss.total == pytest.approx(1 - (1 - up) * (1 - down), abs=0.006)


def test_doubling_on_the_way_up_is_no_negative_loss() -> None:
    doubled = echoes([5.0, 5.0, NAN, 5.0], [0, 2, -1, 4], duplicate_count=1, duplicate_uplink_count=1)
    assert loss_by_direction(doubled)[1:] == (0.0, pytest.approx(0.25))


def test_a_stateless_reflector_tells_no_direction() -> None:
    assert loss_by_direction(echoes([5.0, NAN, 5.0]))[1:] == (None, None)


def test_an_absurd_count_tells_no_direction() -> None:
    assert loss_by_direction(echoes([5.0, NAN, 5.0], [0, -1, 4_000_000]))[1:] == (None, None)


@given(st.lists(st.one_of(st.just(NAN), st.floats(0, 1e5)), max_size=40), st.randoms())
def test_any_echoes_give_a_valid_result(rtt: list[float], rng: random.Random) -> None:
    reflected = [-1 if math.isnan(value) else rng.randrange(50) for value in rtt]
    result = summarise(echoes(rtt, reflected))
    for share in (result.loss_ratio, result.loss_uplink_ratio, result.loss_downlink_ratio):
        assert share is None or 0 <= share <= 1
    if result.received_count:
        assert result.rtt_min_ms <= result.rtt_median_ms <= result.rtt_p95_ms


@pytest.mark.parametrize(("lost", "sent", "low", "high"), [(1, 10, 0.0179, 0.4042), (5, 100, 0.0215, 0.1118)])
def test_wilson_against_its_published_values(lost: int, sent: int, low: float, high: float) -> None:
    assert wilson_interval(lost, sent) == (pytest.approx(low, abs=2e-4), pytest.approx(high, abs=2e-4))


def test_wilson_covers_the_truth() -> None:
    rng, covered = random.Random(3), 0
    for _ in range(1000):
        lost = sum(rng.random() < 0.05 for _ in range(400))
        low, high = wilson_interval(lost, 400)
        covered += low <= 0.05 <= high
    assert 930 <= covered <= 975


def rpm(rtt: list[float], interval_s: float = 0.05) -> tuple[float, str] | None:
    found = responsiveness.responsiveness(Echoes(LatencyMethod.STAMP, rtt, [interval_s * i for i in range(len(rtt))]))
    return None if found is None else (round(found.rpm, 1), str(found.confidence))


def test_responsiveness_of_a_steady_line_is_sure() -> None:
    assert rpm([100.0] * 100) == (600.0, "high")


def test_responsiveness_of_a_short_phase_is_unsure() -> None:
    assert rpm([100.0] * 30) == (600.0, "low")


def test_responsiveness_of_a_line_that_fills_up_is_not_sure() -> None:
    assert rpm([10.0 + 4 * i for i in range(100)])[1] == "medium"


def test_one_outlier_in_twenty_does_not_count() -> None:
    assert rpm(([100.0] * 19 + [5000.0]) * 5)[0] == 600.0


def test_responsiveness_needs_echoes() -> None:
    assert rpm([NAN] * 100) is None
    assert rpm([10.0] * 4) is None
