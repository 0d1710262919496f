"""Schedules: memoryless intervals, windows of the week, times of the day."""

import random
from datetime import UTC, datetime, time
from statistics import mean
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measurement.errors import ConfigError
from probe.agent.schedule import MIN_INTERVAL_S, Schedule, parse_window

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = datetime(2026, 7, 6, 0, 0, tzinfo=ZONE)


def test_intervals_are_memoryless():
    schedule = Schedule(3600, rng=random.Random(1))
    delays = [schedule.delay_s(MONDAY) for _ in range(20_000)]
    assert mean(delays) == pytest.approx(3600, rel=0.03)
    assert min(delays) >= MIN_INTERVAL_S
    # Of what waits over an hour, the same share waits over two as of all waits over one.
    rest = [d - 3600 for d in delays if d > 3600]
    assert mean(rest) == pytest.approx(3600 - MIN_INTERVAL_S, rel=0.05)
    assert sum(d > 7200 for d in delays) / len(rest) == pytest.approx(len(rest) / len(delays), abs=0.02)


def test_thinning_stretches_the_mean():
    schedule = Schedule(600, rng=random.Random(1))
    assert mean(schedule.delay_s(MONDAY, 4) for _ in range(20_000)) == pytest.approx(2400, rel=0.03)


@pytest.mark.parametrize(
    ("windows", "share"),
    [
        (["07:00-09:00"], 2 / 24),
        (["mon-fri 17:00-22:00"], 25 / 168),
        (["22:00-02:00"], 4 / 24),
        (["sun-mon 00:00-12:00", "mon 06:00-18:00"], 30 / 168),
        ([], 1.0),
    ],
)
def test_windows_open_their_share_of_the_week_and_tests_start_within(windows, share):
    parsed = [parse_window(text) for text in windows]
    schedule = Schedule(900, parsed, zone=ZONE, rng=random.Random(2))
    assert schedule.open_share() == pytest.approx(share)
    now = MONDAY
    for _ in range(500):
        now = datetime.fromtimestamp(now.timestamp() + schedule.delay_s(now), ZONE)
        assert not parsed or any(
            begin <= now <= end
            for window in parsed
            for day in (0, -1)
            for begin, end in window.spans(
                now.replace(hour=0) if not day else datetime.fromtimestamp(now.timestamp() - 86_400, ZONE)
            )
        )


def test_daily_times_come_once_a_day_within_a_minute():
    schedule = Schedule(900, daily=(time(8), time(20, 30)), zone=ZONE, rng=random.Random(4))
    now, starts = MONDAY, []
    for _ in range(6):
        now = datetime.fromtimestamp(now.timestamp() + schedule.delay_s(now), ZONE)
        starts.append((now.day, now.hour, now.minute))
    assert starts == [(6, 8, 0), (6, 20, 30), (7, 8, 0), (7, 20, 30), (8, 8, 0), (8, 20, 30)]


@pytest.mark.parametrize(
    "text", ["", "7-9", "07:00", "07:00-07:00", "25:00-26:00", "xyz 07:00-08:00", "mon-xyz 07:00-08:00"]
)
def test_a_bad_window_is_named(text):
    with pytest.raises(ConfigError, match="Invalid window"):
        parse_window(text)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([[], ["07:00-09:00"], ["sat 23:00-01:00"]]), st.floats(30, 1e6))
def test_a_test_is_always_ahead(stamp, windows, interval):
    schedule = Schedule(interval, [parse_window(w) for w in windows], zone=ZONE, rng=random.Random(stamp))
    assert schedule.delay_s(datetime.fromtimestamp(stamp, UTC)) >= MIN_INTERVAL_S
