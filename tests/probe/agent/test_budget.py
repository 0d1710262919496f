"""The budget: never exceeded, spread over the month, kept over restarts and wrong clocks."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from probe.agent.budget import Budget, Limits
from tests.probe.agent.simulated import START, Line, SimulatedClock, agent, run, settings

GB = 1_000_000_000


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("month_gb", "day_gb"), [(10, 0), (2, 0), (20, 1)])
def test_a_month_stays_within_its_limits_and_is_measured_to_its_end(tmp_path, month_gb, day_gb):
    clock = SimulatedClock()
    line = Line(clock)
    chosen = settings(
        schedule={"mean_interval_s": 1800, "quiet_bps": 0},
        budget={"test_bytes": 150_000_000, "day_bytes": day_gb * GB, "month_bytes": month_gb * GB},
    )
    one = agent(tmp_path, clock, line, chosen=chosen)
    run(one, clock, 31)
    spent = sum(cost for _, _, cost in line.orders)
    days: dict[int, int] = {}
    for at, _, cost in line.orders:
        day = (at - START).days
        days[day] = days.get(day, 0) + cost
    if month_gb:
        assert spent <= month_gb * GB
        unlimited = 31 * 48 * 80_000_000
        assert spent >= 0.85 * min(month_gb * GB, (31 * day_gb * GB) or unlimited, unlimited)
    if day_gb:
        assert max(days.values()) <= day_gb * GB
    last_week = sum(cost for at, _, cost in line.orders if (at - START).days >= 24)
    assert last_week >= 0.05 * spent, "the budget was spent before the month was over"
    one.spool.close()


def test_a_restart_does_not_forget_what_was_spent():
    kept: list[str] = []
    limits = Limits(month_bytes=100, day_bytes=50)
    first = Budget(limits, save=kept.append)
    first.spend(START, 40)
    second = Budget(limits, load=lambda: kept[-1])
    assert second.allowance(START) == (10, "day")
    assert second.allowance(START + timedelta(days=1)) == (50, "day")


def test_a_device_without_a_battery_clock_gets_no_fresh_budget_at_each_start():
    budget = Budget(Limits(month_bytes=100))
    budget.spend(START + timedelta(days=3), 60)
    unset = datetime(1970, 1, 1, tzinfo=UTC)
    assert budget.allowance(unset) == (40, "month")
    budget.spend(unset, 10)
    assert budget.allowance(START + timedelta(days=4)) == (30, "month")
    assert budget.allowance(START + timedelta(days=40)) == (100, "month")


def test_a_clock_set_back_takes_what_is_spent_with_it():
    budget = Budget(Limits(month_bytes=100))
    budget.spend(START + timedelta(days=400), 60)
    assert budget.allowance(START) == (40, "month")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"day_bytes":"x"}', "null"])
def test_a_broken_state_begins_anew(text):
    assert Budget(Limits(day_bytes=7), load=lambda: text).allowance(START) == (7, "day")


def test_the_schedule_is_thinned_as_the_cost_is_learnt():
    budget = Budget(Limits(month_bytes=31 * GB), zone=settings().zone())
    for _ in range(30):
        budget.spend(START, 100_000_000)
    # 28 GB are left for 31 days at 0.1 GB a test: 280 tests, one each 9566 s.
    assert budget.stretch(START, 3600) == pytest.approx(31 * 86_400 / 280 / 3600, rel=0.01)
    assert budget.stretch(START, 100_000) == 1
    budget.spend(START, 28 * GB)
    assert budget.stretch(START, 3600) == inf
