"""Sudden falls: told after a dozen tests, silent over many healthy hours, not moved by one loud phone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from analysis.degraded import early, recovery
from analysis.degraded.events import Event, end
from analysis.degraded.judged import Judged
from analysis.degraded.sudden import SOUGHT, WAYS, falls, limit, scores, standards

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
LAYERS = ["districts-2024"]
DEVIATION = 0.35


def judged(
    seed: int = 1, hours: int = 16, areas: int = 6, fall: float = 0.0, minutes: int = 0, agree: float = 0.0,
    latency: float = 0.0, loud: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """Tests of `areas` districts at 60 an hour each; the first falls by a share in the last `minutes`."""
    rng = np.random.default_rng(seed)
    count = hours * 60 * areas
    ago = np.sort(rng.uniform(0, hours * 60, count))[::-1]
    area = rng.integers(0, areas, count)
    probe = rng.integers(0, 400, count)
    hit = (area == 0) & (ago < minutes)
    is_loud = hit & loud & (np.arange(count) % 2 == 0)
    names = [f"p{number}" for number in np.where(is_loud, -1, probe)]
    at = pl.Series([NOW - timedelta(minutes=float(m)) for m in ago], dtype=pl.Datetime("us", "UTC"))
    shared = rng.normal(0, DEVIATION, count)
    columns = {}
    for kpi in SOUGHT:
        own = rng.normal(0, DEVIATION, count)
        residual = np.sqrt(agree) * shared + np.sqrt(1 - agree) * own
        residual = residual + hit * np.log1p(-(latency if kpi == "latency" else fall))
        columns[f"residual_{kpi}"] = np.where(is_loud, -4.0, residual)
        columns[f"deviation_{kpi}"] = np.full(count, DEVIATION)
    return pl.DataFrame(
        {
            "started_at": at,
            "areas_districts_2024": [f"d{number}" for number in area],
            "operator": "Viettel", "technology": "4g", "server": "a.example", "base_station": None,
            "probe_id": names, "is_simulated": True, **columns,
        },
        schema_overrides={"base_station": pl.String},
    )  # fmt: skip


def looked(tests: pl.DataFrame, known: list[Event] | None = None, now: datetime = NOW) -> list[Event]:
    return early.look(Judged.of(tests, now), LAYERS, known or [])


@pytest.mark.parametrize("seed", range(6))
def test_a_fall_of_forty_percent_is_told_after_a_dozen_tests(seed: int) -> None:
    found = looked(judged(seed, fall=0.4, minutes=20))
    assert [e.stream[1:3] for e in found] == [("d0", "Viettel")]
    (event,) = found
    assert event.stream.kpi in WAYS[0]
    assert event.low < 0.5
    assert event.high > 0.3
    assert event.q_value < 1e-4
    assert event.blame == "network"
    assert abs((NOW - event.since) - timedelta(minutes=20)) < timedelta(minutes=6)


def test_latency_that_rises_too_tells_it_sooner() -> None:
    tests = standards(Judged.of(judged(fall=0.4, minutes=20, latency=0.5), NOW))
    assert tests is not None
    rates, both = (falls(scores(tests, way), LAYERS[0], NOW, 5.0, {})[0].height for way in WAYS)
    assert both > 1.2 * rates


@pytest.mark.parametrize("seed", range(3))
def test_healthy_districts_are_silent_at_every_look(seed: int) -> None:
    frames = judged(seed)
    for minutes in range(0, 12 * 60, 40):
        assert looked(frames, now=NOW - timedelta(minutes=minutes)) == []


def test_one_loud_phone_is_no_fall() -> None:
    assert looked(judged(loud=True, minutes=40)) == []


def test_what_is_known_or_over_is_not_told_again() -> None:
    frames = judged(fall=0.4, minutes=30)
    (event,) = looked(frames)
    assert looked(frames, [event]) == []
    assert looked(frames, [end(event, NOW - timedelta(minutes=1), "recovered")]) == []


def test_rates_that_agree_are_not_evidence_twice() -> None:
    def sought(agree: float) -> float:
        tests = standards(Judged.of(judged(agree=agree), NOW))
        assert tests is not None
        return float(scores(tests, WAYS[0])["gap"].mean())  # type: ignore[arg-type]

    assert sought(0.9) < 0.8 * sought(0.0)


def test_the_limit_rises_with_what_is_watched() -> None:
    assert limit(1e5) < limit(1e6) < limit(1e7)
    assert limit(1e6) - limit(1e5) == pytest.approx(np.log(10))


def _rows(values: np.ndarray) -> pl.DataFrame:
    names = [f"p{number % 30}" for number in range(len(values))]
    return pl.DataFrame({"residual": values, "deviation": 0.4, "probe_id": names})


@pytest.mark.parametrize("seed", range(20))
def test_an_end_is_seen_after_a_score_of_tests_and_not_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, low = _rows(rng.normal(0, 0.4, 300)), rng.normal(-0.5, 0.4, 120)
    assert not recovery.is_back(before, _rows(low), 0.5)
    assert recovery.is_back(before, _rows(np.r_[low, rng.normal(0, 0.4, 30)]), 0.5)
    again = np.r_[low, rng.normal(0, 0.4, 100), rng.normal(-0.5, 0.4, 40)]
    assert not recovery.is_back(before, _rows(again), 0.5), "a fall that came back"
