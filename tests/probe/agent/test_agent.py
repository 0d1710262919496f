"""The agent over simulated days: bounded memory and disk, the quiet rule, tasks, reload, broken instruments."""

import gc
import json
import logging
import tracemalloc
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from measurement.codec import decode
from measurement.errors import ConfigError, DeliveryError, InstrumentError
from measurement.record import Position
from measurement.vocabulary import Mode
from probe.agent.reload import Reload
from probe.agent.tasks import Task, bounded, parse
from probe.collector_client import CollectorClient
from probe.report import Reporter
from probe.settings import load
from tests.probe.agent.simulated import START, Line, SimulatedClock, agent, run, settings
from tests.probe.report.answering import answering

QUIET = {"mean_interval_s": 600, "quiet_bps": 0}
FREE = {"test_bytes": 0, "day_bytes": 0, "month_bytes": 0}


@pytest.fixture
def unlogged():
    """pytest keeps each log record; where memory is measured, none is made."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_thirty_days_without_a_collector_stay_within_their_bounds(tmp_path, unlogged):
    clock = SimulatedClock()
    line = Line(clock)
    limit = 128 * 1024
    chosen = settings(schedule={**QUIET, "mean_interval_s": 1800}, budget=FREE, spool={"max_bytes": limit})
    one = agent(tmp_path, clock, line, chosen=chosen)
    run(one, clock, 5)
    line.orders.clear()
    gc.collect()  # rubbish that waits for its collector is no growth
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(25):
        run(one, clock, 1)
        line.orders.clear()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert line.count == pytest.approx(30 * 48, rel=0.1)
    assert grown < 200_000
    disk = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert disk < 2 * limit + 2 * 2**20
    counters, depth = one.spool.counters(), one.spool.depth()
    dropped = sum(n for name, n in counters.items() if name.startswith("dropped_"))
    assert depth.waiting_count + dropped == line.count == one.tally.complete + one.tally.failed
    assert depth.byte_count <= limit
    # The oldest complete records are still there, and the gaps in the sequence tell how many went.
    waiting = [decode(w.body) for w in one.spool.batch(100_000, 2**40)]
    assert waiting[0].sequence is not None
    assert waiting[0].sequence <= 3
    assert one.spool.state("sequence") == str(line.count)
    one.spool.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_thirty_days_with_a_collector_that_comes_and_goes_deliver_everything(tmp_path):
    clock = SimulatedClock()
    line = Line(clock)
    got: list[str] = []

    def decide(path, records):
        if int(clock.seconds // 43_200) % 3 == 1:
            return 503, {"Retry-After": "60"}, b""
        got.extend(r["record_id"] for r in records)
        return 202, {}, {"accepted": [r["record_id"] for r in records], "rejected": []}

    with answering(decide) as server:
        spool_path = tmp_path
        one = agent(spool_path, clock, line, chosen=settings(schedule={**QUIET, "mean_interval_s": 3600}, budget=FREE))
        one.reporter = Reporter(one.spool, CollectorClient(server.url), boot_ms=lambda: clock.seconds * 1000)
        run(one, clock, 30)
        clock.seconds += 43_200 - clock.seconds % 43_200
        while int(clock.seconds // 43_200) % 3 == 1:
            clock.seconds += 43_200
        assert one.report()
    assert len(got) == len(set(got)) == line.count
    assert one.spool.depth().waiting_count == 0
    one.spool.close()


def test_a_new_probe_measures_at_once_and_an_old_one_by_its_schedule(tmp_path):
    clock = SimulatedClock()
    line = Line(clock)
    rare = settings(schedule={**QUIET, "mean_interval_s": 1e7}, budget=FREE)
    one = agent(tmp_path, clock, line, chosen=rare)
    run(one, clock, 0.01)
    assert line.count == 1
    assert (line.orders[0][0] - START).total_seconds() == pytest.approx(30, abs=1)
    one.spool.close()
    two = agent(tmp_path, clock, line, chosen=rare)
    run(two, clock, 0.1)
    assert line.count == 1
    two.spool.close()


def test_records_carry_sequence_campaign_and_organisation(tmp_path):
    clock = SimulatedClock()
    one = agent(tmp_path, clock, Line(clock), chosen=settings(campaign="july", organisation="Sở TT&TT"))
    made = one.test(None, Mode.MANUAL)
    assert made is not None
    assert (made.sequence, made.campaign, made.organisation, made.mode) == (1, "july", "Sở TT&TT", "manual")
    assert decode(one.spool.batch(1, 10_000)[0].body) == made
    one.spool.close()


def test_no_test_starts_while_the_line_is_in_use(tmp_path):
    clock = SimulatedClock()
    line = Line(clock)
    busy = lambda: clock.seconds % 7200 < 3600  # noqa: E731
    moved = [0.0, 0.0]

    def counter() -> int:
        if busy():
            moved[0] += (clock.seconds - moved[1]) * 5e6 / 8 + 1
        moved[1] = clock.seconds
        return int(moved[0])

    chosen = settings(schedule={"mean_interval_s": 600, "quiet_bps": 1e6}, budget=FREE)
    one = agent(tmp_path, clock, line, chosen=chosen, counter=counter)
    run(one, clock, 2)
    in_use = [at for at, _, _ in line.orders if (at - START).total_seconds() % 7200 < 3590]
    assert len(line.orders) > 80
    assert not in_use
    assert one.tally.skipped_busy > 5
    one.spool.close()


def test_a_failing_instrument_makes_no_record_and_the_agent_goes_on(tmp_path, caplog):
    clock = SimulatedClock()
    line = Line(clock)

    def broken(order):
        if line.count % 2:
            line.count += 1
            raise InstrumentError("no socket")
        return line(order)

    one = agent(tmp_path, clock, broken, chosen=settings(schedule=QUIET, budget=FREE))
    run(one, clock, 1)
    assert one.tally.instrument_errors > 20
    assert one.spool.depth().waiting_count == len(line.orders)
    assert "the instrument failed, nothing is recorded: no socket" in caplog.text
    one.spool.close()


def test_tasks_bound_by_local_limits_change_the_schedule(tmp_path):
    clock = SimulatedClock()
    line = Line(clock)
    tasks = [
        Task(id="cheap", schedule="every 1m", peers=["https://other.test"], campaign="july", budget_bytes=10_000_000,
             valid_until=START + timedelta(days=1)),
    ]  # fmt: skip
    chosen = settings(schedule={**QUIET, "mean_interval_s": 1200}, budget={**FREE, "test_bytes": 50_000_000})
    one = agent(tmp_path, clock, line, chosen=chosen, fetch_tasks=lambda: tasks)
    run(one, clock, 1)
    with_task = len(line.orders)
    assert with_task == pytest.approx(144, rel=0.3), "twice as often as the owner wants, not twenty times"
    order = line.orders[-1][1]
    assert (order.settings.peers, order.settings.campaign, order.byte_budget) == (
        ["https://other.test"],
        "july",
        10_000_000,
    )
    run(one, clock, 1)
    assert line.orders[-1][1].settings.peers == ["http://peer.test"]
    assert line.orders[-1][1].byte_budget == 50_000_000
    one.spool.close()


def test_a_task_for_a_place_waits_until_the_probe_is_there(tmp_path):
    clock = SimulatedClock()
    line, here = Line(clock), [Position(longitude_deg=106.60, latitude_deg=20.86, accuracy_m=10)]
    place = Position(longitude_deg=106.69, latitude_deg=20.84)
    tasks = [Task(id="stop", schedule="once", campaign="plan", position=place)]
    chosen = settings(schedule={**QUIET, "mean_interval_s": 1e6}, budget=FREE)
    one = agent(tmp_path, clock, line, chosen=chosen, fetch_tasks=lambda: tasks, fix=lambda: here[0])
    run(one, clock, 0.1)
    assert "plan" not in [order.settings.campaign for _, order, _ in line.orders]
    here[0] = Position(longitude_deg=106.692, latitude_deg=20.841)  # 240 m away
    run(one, clock, 0.1)
    assert [order.settings.campaign for _, order, _ in line.orders].count("plan") == 1
    one.spool.close()


def test_a_task_brings_no_excluded_peer_back_and_undoes_a_pin():
    own = settings(peers=["http://own.test", "http://far.test"], pin="own.test", exclude=["bad.test"])
    with pytest.raises(ConfigError):
        own.candidates()  # excluded but not listed: told, where the owner wrote it
    own = settings(peers=["http://own.test", "http://bad.test"], pin="own.test", exclude=["bad.test"])
    asked = bounded(own, Task(id="t", schedule="once", peers=["http://bad.test", "http://other.test"]))
    assert [candidate.url for candidate in asked.candidates()] == ["http://other.test"]
    only_bad = bounded(own, Task(id="t", schedule="once", peers=["http://bad.test"]))
    assert [candidate.url for candidate in only_bad.candidates()] == ["http://own.test"]


def test_a_task_that_wants_one_test_gets_one_also_over_a_restart(tmp_path):
    clock = SimulatedClock()
    line = Line(clock)
    options = {"chosen": settings(schedule={**QUIET, "mean_interval_s": 1e6}, budget=FREE),
               "fetch_tasks": lambda: [Task(id="now", schedule="once", campaign="spot")]}  # fmt: skip
    one = agent(tmp_path, clock, line, **options)
    run(one, clock, 0.1)
    one.spool.close()
    two = agent(tmp_path, clock, line, **options)
    run(two, clock, 0.1)
    assert [order.settings.campaign for _, order, _ in line.orders].count("spot") == 1
    two.spool.close()


def test_tasks_stay_in_force_while_the_collector_is_away_and_over_a_restart(tmp_path):
    clock = SimulatedClock()
    line = Line(clock)

    def away():
        raise DeliveryError("no answer in time")

    chosen = settings(schedule=QUIET, budget=FREE)
    one = agent(
        tmp_path, clock, line, chosen=chosen, fetch_tasks=lambda: [Task(id="t", schedule="every 10m", campaign="c")]
    )
    run(one, clock, 0.2)
    one.spool.close()
    line.orders.clear()
    two = agent(tmp_path, clock, line, chosen=chosen, fetch_tasks=away)
    run(two, clock, 0.2)
    assert line.orders
    assert all(order.settings.campaign == "c" for _, order, _ in line.orders)
    two.spool.close()


@pytest.mark.parametrize(
    "bad",
    [
        {"id": "x", "schedule": "whenever"},
        {"id": "x", "schedule": "every 15"},
        {"id": "x", "schedule": "daily 25:00"},
        {"id": "../etc", "schedule": "once"},
        {"id": "x", "schedule": "once", "peers": ["file:///etc/passwd"]},
        {"id": "x", "schedule": "once", "windows": ["7-9"]},
        {"id": "x", "schedule": "once", "budget_bytes": -1},
        {"id": "x", "schedule": "once", "valid_until": "2026-07-01T00:00:00"},
        {"schedule": "once"},
        "text",
        None,
    ],
)
def test_a_bad_task_is_left_out_and_told_while_the_others_hold(bad, caplog):
    good = {"id": "good", "schedule": "daily 08:00, 20:30", "unknown": 1}
    tasks = parse(json.dumps({"tasks": [bad, good]}).encode())
    assert [task.id for task in tasks] == ["good"]
    assert [t.hour for t in tasks[0].wanted.daily] == [8, 20]
    assert "task 0 refused" in caplog.text


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"tasks":7}', b"\xff"])
def test_an_answer_that_is_no_list_of_tasks_changes_nothing(body):
    with pytest.raises(DeliveryError, match="tasks"):
        parse(body)


def test_hot_reload_takes_a_good_file_and_ignores_a_broken_one(tmp_path, caplog):
    path = tmp_path / "probe.toml"

    def written(interval: str) -> None:
        path.write_text(f'peers = ["http://peer.test"]\n[schedule]\nmean_interval_s = {interval}\nquiet_bps = 0\n')

    written("600")
    clock = SimulatedClock()
    reload = Reload(path, lambda: load(path, {}, {}))
    one = agent(tmp_path, clock, Line(clock), chosen=load(path, {}, {}), reload=reload)
    one.step()
    assert one.settings.schedule.mean_interval_s == 600
    written("7200")
    one.step()
    assert one.settings.schedule.mean_interval_s == 7200
    written("'often'")
    one.step()
    assert one.settings.schedule.mean_interval_s == 7200
    assert "configuration ignored" in caplog.text
    assert "schedule.mean_interval_s" in caplog.text
    one.spool.close()


def test_the_metrics_endpoint_tells_the_state(tmp_path):
    import urllib.request

    from probe.agent.metrics import ROWS, serve

    clock = SimulatedClock()
    one = agent(tmp_path, clock, Line(clock), chosen=settings(schedule=QUIET, budget=FREE))
    run(one, clock, 0.5)
    port = serve(one, "127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        text = reply.read().decode()
    for row in ROWS:
        assert row.name in text
    assert f'haidang_probe_tests_total{{status="complete"}} {one.tally.complete}.0' in text
    assert f'haidang_probe_spool_records{{state="waiting"}} {one.spool.depth().waiting_count}.0' in text
    one.spool.close()


def test_the_record_of_the_agent_is_the_record_of_the_cycle(tmp_path: Path):
    clock = SimulatedClock()
    one = agent(tmp_path, clock, Line(clock))
    made = one.test(None, Mode.SCHEDULED)
    assert made is not None
    assert msgspec.structs.replace(made, sequence=None, clock_synchronised=None).record_id == made.record_id
    one.spool.close()
