"""Degradation: found when it is there, silent when it is not, blamed on whom it is due, over when it is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from analysis.degraded import blame, events, holidays
from analysis.degraded.confirm import discoveries, shift
from analysis.degraded.detect import look
from analysis.degraded.events import Event, Stream
from analysis.degraded.judged import OPERATORS, Judged
from analysis.degraded.kpis import BY_KPI, WATCHED, drop
from analysis.degraded.residuals import books, judge, learn, prepare
from measurement.kpi import BY_ID

START = datetime(2026, 5, 1, tzinfo=UTC)
CELLS = (622644792051990527, 622644791826808831, 622644792055660543, 622644792083415039)
DOWNLINK = BY_KPI["downlink"]


def state(
    days: int = 30, a_day: int = 400, seed: int = 1, fall_at: datetime | None = None, factor: float = 0.7,
    fall_of: str = "network", until: datetime | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Tests of two operators in two areas; `fall_of` says what falls at `fall_at`: network, probe or server."""
    rng = np.random.default_rng(seed)
    count = days * a_day
    seconds = np.sort(rng.uniform(0, days * 86_400, count))
    at = [START + timedelta(seconds=float(s)) for s in seconds]
    probe = rng.integers(0, 40, count)
    area, operator = np.where(probe % 2, "north", "south"), np.where(probe % 4 < 2, "Viettel", "VinaPhone")
    server = rng.choice(["a.example", "b.example"], count)
    local = [t + timedelta(hours=7) for t in at]
    hour = np.array([t.hour for t in local])
    level = np.log(5e7) + rng.normal(0, 0.8, 40)[probe] - 0.5 * ((hour > 18) & (hour < 23))
    value = level + rng.normal(0, 0.35, count)
    if fall_at is not None:
        hit = np.array([t >= fall_at and (until is None or t < until) for t in at])
        hit &= {
            "network": (area == "north") & (operator == "Viettel"),
            "probe": probe == 1, "server": server == "a.example",
        }[fall_of]  # fmt: skip
        value = value + np.log(factor) * hit
    return pl.DataFrame(
        {
            "started_at": pl.Series(at, dtype=pl.Datetime("us", "UTC")),
            "hour": pl.Series([t.weekday() * 24 + t.hour for t in local], dtype=pl.Int16),
            "probe_id": [f"p{n}" for n in probe], "server": server, "operator": operator, "technology": ["4g"] * count,
            "base_station": [None] * count, "h3_cell": np.array(CELLS)[probe % 4], "is_simulated": [True] * count,
            "areas_wards": area, "downlink": np.exp(value),
        },
        schema_overrides={"base_station": pl.String},
    )  # fmt: skip


def looked(frame: pl.DataFrame, now: datetime, known: list[Event] | None = None) -> list[Event]:
    midnight = (now + timedelta(hours=7)).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=7)
    seen = frame.filter(pl.col("started_at") <= now)
    numbers = books(seen, "areas_wards")
    prepared = prepare(seen, "areas_wards", known=numbers)
    baseline = learn(prepared, numbers.sizes, midnight, DOWNLINK, events.exceptions(known or []))
    judged = Judged.of(judge(prepared, {DOWNLINK.kpi: baseline}), now)
    return look(judged, DOWNLINK, ["wards", OPERATORS], known or [])


FALL = datetime(2026, 5, 28, 3, tzinfo=UTC)


def test_a_fall_is_found_dated_and_sized() -> None:
    found = looked(state(a_day=1200, fall_at=FALL), FALL + timedelta(hours=6))
    own = [e for e in found if e.stream.area == "north"]
    assert [e.stream[1:4] for e in own] == [("north", "Viettel", "4g")]
    event = own[0]
    assert abs(event.since - FALL) < timedelta(hours=1)
    assert event.low < 0.3 < event.high
    assert event.severity == 1
    assert (event.blame, event.blamed) == (blame.NETWORK, None)
    assert event.q_value <= 0.05


def test_a_large_fall_is_major() -> None:
    found = looked(state(a_day=1200, fall_at=FALL, factor=0.4), FALL + timedelta(hours=4))
    assert {e.severity for e in found if e.stream.area == "north"} == {2}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_healthy_network_is_silent(seed: int) -> None:
    frame = state(seed=seed, a_day=800)
    assert looked(frame, START + timedelta(days=29, hours=12)) == []


def test_one_probe_among_many_is_not_the_network() -> None:
    found = looked(state(a_day=1200, fall_at=FALL, factor=0.02, fall_of="probe"), FALL + timedelta(days=1))
    assert all((e.blame, e.blamed) == (blame.PROBE, "p1") for e in found)


def test_one_server_among_many_is_blamed() -> None:
    found = looked(state(a_day=2000, fall_at=FALL, factor=0.3, fall_of="server"), FALL + timedelta(hours=8))
    assert found
    assert {(e.blame, e.blamed) for e in found} == {(blame.SERVER, "a.example")}


def test_an_event_ends_when_it_recovered_and_not_at_once() -> None:
    over = FALL + timedelta(hours=12)
    frame = state(days=31, a_day=1200, fall_at=FALL, until=over)
    known = looked(frame, FALL + timedelta(hours=8))
    north = [e for e in known if e.stream.area == "north"]
    assert north[0].resolved_at is None
    first = looked(frame, over + timedelta(hours=14), known)
    assert [e.resolved_at for e in first if e.stream.area == "north"] == [None]
    second = looked(frame, over + timedelta(hours=15), first)
    ended = [e for e in second if e.stream.area == "north"]
    assert [e.resolution for e in ended] == ["recovered"]
    assert ended[0].severity == 0
    again = looked(frame, over + timedelta(hours=18), second)
    assert len([e for e in again if e.stream.area == "north"]) == 1


def test_a_new_normal_is_learnt_and_silent() -> None:
    frame = state(days=50, a_day=500, fall_at=FALL - timedelta(days=10))
    event = Event(
        Stream("wards", "north", "Viettel", "4g", "downlink"), 1, FALL - timedelta(days=10), 0.3, 0.2, 0.4, 0.001,
        "network", None, 90, 9, "", FALL - timedelta(days=9), None, None, None, True,
    )  # fmt: skip
    now = FALL + timedelta(days=14)
    known = looked(frame, now, [event])
    assert [(e.severity, e.resolution) for e in known if e.stream.area == "north"] == [(0, "new_normal")]
    later = looked(frame, now + timedelta(days=1), known)
    assert [e for e in later if e.resolved_at is None] == []


def test_a_gap_of_a_week_is_no_alarm() -> None:
    frame = state(days=35, a_day=800)
    gone = pl.col("started_at").is_between(START + timedelta(days=20), START + timedelta(days=27))
    assert looked(frame.filter(~gone), START + timedelta(days=34)) == []


def test_a_new_operator_is_not_judged_yet() -> None:
    frame = state(a_day=800)
    late = pl.col("started_at") > START + timedelta(days=28, hours=18)
    renamed = frame.with_columns(pl.when(late).then(pl.lit("Newcomer")).otherwise("operator").alias("operator"))
    assert [e for e in looked(renamed, START + timedelta(days=29, hours=12)) if e.stream.operator == "Newcomer"] == []


def test_little_history_judges_nothing() -> None:
    assert looked(state(days=8, fall_at=START + timedelta(days=6)), START + timedelta(days=7)) == []


def test_tet_is_a_holiday_and_an_ordinary_day_is_none() -> None:
    assert holidays.is_holiday(date(2027, 2, 6))
    assert not holidays.is_holiday(date(2026, 10, 14))
    assert all(row.first <= row.last for row in holidays.HOLIDAYS)


def test_events_survive_the_table() -> None:
    found = looked(state(a_day=1200, fall_at=FALL), FALL + timedelta(hours=6))
    assert events.events_of(events.table(found)) == sorted(found, key=lambda e: (e.severity, *e.stream[:5], e.since))
    assert events.table([]).height == 0


def test_every_watched_kpi_is_a_kpi_and_drops_are_positive_when_worse() -> None:
    for row in WATCHED:
        assert row.kpi in BY_ID
        assert drop(row, -0.5) > 0 > drop(row, 0.5)
        assert 0 < row.fall < row.major


def test_shift_and_discoveries() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        found = shift(rng.normal(0, 1, 60), rng.normal(-0.4, 1, 40))
        covered += found.low <= -0.4 <= found.high
    assert 0.90 <= covered / 200 <= 0.99
    assert discoveries(np.array([]), 10).tolist() == []
    assert (discoveries(np.array([0.5, 0.9]), 1000) == 1).all()
