"""The agent's loop: test when due and quiet and affordable, keep, report, ask for tasks, reload; for months.

One thread does all, so a delivery never runs beside a test. `step` does what is due and returns how long nothing is;
the clock is an argument, so thirty days pass in seconds in the tests.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime
from math import inf
from typing import NamedTuple, TypeVar

import msgspec

from measurement.codec import encode
from measurement.errors import DeliveryError, InstrumentError
from measurement.record import Position, Record
from measurement.vocabulary import Mode, Status
from probe.agent.budget import Budget
from probe.agent.clock import Clock, is_synchronised
from probe.agent.lines import amount, line_of, span
from probe.agent.quiet import OBSERVED_S, traffic_bps
from probe.agent.schedule import MIN_INTERVAL_S, Schedule, parse_window
from probe.agent.tasks import DONE_KEPT, Task, bounded, current, limits_of, within_reach
from probe.boot import boot_clock_ms
from probe.report import Reporter
from probe.settings import Settings
from probe.spool.spool import Spool

LONGEST_SLEEP_S = 60.0  # wakes that often to notice a new file, a new task, a clock set right

_Kept = TypeVar("_Kept")
_log = logging.getLogger("haidang.agent")


class Order(NamedTuple):
    """What one test is to be: its settings (peers, methods, campaign), its byte budget, its mode."""

    settings: Settings
    byte_budget: int | None
    mode: Mode


class Measured(NamedTuple):
    """A record, and the bytes that it cost on the air."""

    record: Record
    cost_bytes: int


class Tally(msgspec.Struct):
    """What the agent has done since it started; the metrics endpoint shows it."""

    complete: int = 0
    partial: int = 0
    failed: int = 0
    instrument_errors: int = 0
    skipped_busy: int = 0
    skipped_budget: int = 0
    bytes_count: int = 0
    stretch: float = 1.0


class Agent:
    """Measures for ever. Every outside thing is an argument: measuring, clock, tasks, interface counters, reloading."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        reporter: Reporter | None,
        measure: Callable[[Order], Measured],
        *,
        clock: Clock,
        rng: random.Random | None = None,
        boot_ms: Callable[[], float] = boot_clock_ms,
        counter: Callable[[], int | None] = lambda: None,
        fetch_tasks: Callable[[], list[Task]] | None = None,
        reload: Callable[[], Settings | None] = lambda: None,
        fix: Callable[[], Position | None] = lambda: None,
    ) -> None:
        self.spool, self.reporter, self._measure = spool, reporter, measure
        self.clock, self._rng, self._boot_ms = clock, rng or random.Random(), boot_ms
        self._counter, self._fetch_tasks, self._reload, self._fix = counter, fetch_tasks, reload, fix
        self.tally, self.tasks = Tally(), _saved(spool, "tasks", list[Task]) or []
        self._done: list[str] = _saved(spool, "tasks_done", list[str]) or []
        self._local = settings
        self._task: Task | None = None
        self._redraw_s = inf
        self._apply()
        self._next_report_s = self._next_tasks_s = clock.monotonic()
        # Whoever has just installed a probe wants to see it measure; after that the schedule alone decides.
        is_new = spool.state("sequence") is None and not self.settings.schedule.windows
        self._next_test_s = clock.monotonic() + (MIN_INTERVAL_S if is_new else self._delay_s())
        self._busy_since_s: float | None = None
        self.on_record: Callable[[Record], None] = lambda record: None
        self.reload_requested: Callable[[], None] = lambda: None

    def _apply(self) -> None:
        """Put settings and the task in force together into schedule and budget."""
        self._task = self._current_task()
        self.settings = settings = bounded(self._local, self._task)
        zone = settings.zone()
        windows = [parse_window(text) for text in settings.schedule.windows]
        daily = self._task.wanted.daily if self._task else ()
        self.schedule = Schedule(settings.schedule.mean_interval_s, windows, daily=daily, zone=zone, rng=self._rng)
        self.budget = Budget(
            limits_of(settings),
            zone=zone,
            load=lambda: self.spool.state("budget"),
            save=lambda text: self.spool.set_state(budget=text),
        )

    def _delay_s(self) -> float:
        now = self.clock.now()
        open_interval_s = self.schedule.mean_interval_s / max(self.schedule.open_share(), 1e-6)
        stretch = self.budget.stretch(now, open_interval_s)
        if (stretch > 1.05) != (self.tally.stretch > 1.05):
            told = f"one test in {span(self.schedule.mean_interval_s * stretch)}" if stretch > 1.05 else "full schedule"
            told = "spent; waiting for the next day or month" if stretch == inf else told
            _log.info("budget: %s (mean cost %s a test)", told, amount(self.budget.spent.mean_bytes))
        self.tally.stretch = stretch
        delay_s = self.schedule.delay_s(now, stretch) if stretch < inf else inf
        renewal_s = self.budget.seconds_to_renewal(now)
        self._redraw_s = inf if delay_s <= renewal_s else self.clock.monotonic() + renewal_s
        return delay_s

    def step(self) -> float:
        """Do what is due; return the seconds until something is."""
        self._refresh()
        if self.clock.monotonic() >= self._redraw_s:
            self._next_test_s = self.clock.monotonic() + self._delay_s()
        if self.clock.monotonic() >= self._next_test_s:
            self._test_if_possible()
        if self.reporter is not None and self.clock.monotonic() >= self._next_report_s:
            self.report()
        due = [self._next_test_s, self._redraw_s, self.clock.monotonic() + LONGEST_SLEEP_S]
        if self.reporter is not None:
            due.append(self._next_report_s)
        return max(0.0, min(due) - self.clock.monotonic())

    def _refresh(self) -> None:
        fresh = self._reload()
        if fresh is not None:
            self._local = fresh
            _log.info("configuration read again")
        if self._fetch_tasks is not None and self.clock.monotonic() >= self._next_tasks_s:
            self._next_tasks_s = self.clock.monotonic() + self.settings.tasks_interval_s
            self._ask_for_tasks(self._fetch_tasks)
        if fresh is not None or self._current_task() != self._task:
            self._apply()
            is_once = self._task is not None and self._task.wanted.is_once
            self._next_test_s = self.clock.monotonic() + (0.0 if is_once else self._delay_s())
            task = f"task {self._task.id}" if self._task else "own schedule"
            _log.info("%s: one test in %s", task, span(self.schedule.mean_interval_s))

    def _current_task(self) -> Task | None:
        return current(within_reach(self.tasks, self._fix), self.clock.now(), frozenset(self._done))

    def _ask_for_tasks(self, fetch: Callable[[], list[Task]]) -> None:
        try:
            self.tasks = fetch()
        except DeliveryError as error:
            _log.warning("tasks stay as they are: %s", error)
            return
        self.spool.set_state(tasks=msgspec.json.encode(self.tasks).decode())

    def _test_if_possible(self) -> None:
        wait_s = self._busy_wait_s() if self.settings.schedule.quiet_bps else None
        if wait_s is not None:
            self._next_test_s = self.clock.monotonic() + wait_s
            return
        now = self.clock.now()
        allowance = self.budget.allowance(now)
        if not allowance.is_enough:
            self.tally.skipped_budget += 1
            _log.info("%s budget is spent: no test until it renews", allowance.reason)
            self._next_test_s, self._redraw_s = inf, self.clock.monotonic() + self.budget.seconds_to_renewal(now)
            return
        self.test(allowance.test_bytes, Mode.CERTIFIED if self.settings.is_thorough else Mode.SCHEDULED)
        if self._task is not None and self._task.wanted.is_once:
            self._done = [*self._done[-DONE_KEPT:], self._task.id]
            self.spool.set_state(tasks_done=msgspec.json.encode(self._done).decode())
            self._apply()
        self._next_test_s = self.clock.monotonic() + self._delay_s()

    def _busy_wait_s(self) -> float | None:
        """Return how long to wait where the line is in use, None where it is quiet."""
        before, began = self._counter(), self.clock.monotonic()
        if before is None:
            return None
        self.clock.wait(OBSERVED_S)
        rate = traffic_bps(before, self._counter(), self.clock.monotonic() - began)
        rules = self.settings.schedule
        if rate < rules.quiet_bps:
            self._busy_since_s = None
            return None
        self._busy_since_s = began if self._busy_since_s is None else self._busy_since_s
        if began - self._busy_since_s < rules.quiet_patience_s:
            _log.info("line in use (%s bit/s): test put off", amount(rate, ""))
            return rules.quiet_retry_s
        self._busy_since_s = None
        self.tally.skipped_busy += 1
        _log.info("line in use for %s: test skipped", span(rules.quiet_patience_s))
        return self._delay_s()

    def test(self, byte_budget: int | None, mode: Mode) -> Record | None:
        """Run one test now and keep its record; None where the instrument failed."""
        began_ms = self._boot_ms()
        try:
            measured = self._measure(Order(self.settings, byte_budget, mode))
        except InstrumentError as error:
            self.tally.instrument_errors += 1
            _log.error("the instrument failed, nothing is recorded: %s", error)
            return None
        record = self._completed(measured.record)
        self.budget.spend(self.clock.now(), measured.cost_bytes)
        self.tally.bytes_count += measured.cost_bytes
        status = record.outcome.status
        setattr(self.tally, status.value, getattr(self.tally, status.value) + 1)
        self.spool.keep(record.record_id, status.value, encode(record), began_ms)
        _log.info("%s", line_of(record))
        self.on_record(record)
        if status is not Status.FAILED:
            self._next_report_s = min(self._next_report_s, self.clock.monotonic() + self._report_pause_s())
        return record

    def _completed(self, record: Record) -> Record:
        synchronised = record.clock_synchronised
        return msgspec.structs.replace(
            record,
            sequence=self.spool.next_sequence(),
            campaign=record.campaign or self.settings.campaign,
            organisation=record.organisation or self.settings.organisation,
            clock_synchronised=is_synchronised() if synchronised is None else synchronised,
        )

    def report(self) -> bool:
        """Deliver what waits; True where all is delivered."""
        if self.reporter is None:
            return False
        delivery = self.reporter.deliver()
        if delivery.accepted_count or delivery.refused_count:
            _log.info("reported: %d kept by the collector, %d refused", delivery.accepted_count, delivery.refused_count)
        self._next_report_s = self.clock.monotonic() + self._report_pause_s()
        return delivery.error is None

    def _report_pause_s(self) -> float:
        reporter = self.reporter
        return self.settings.report_interval_s if reporter is None or not reporter.failure_count else reporter.pause_s()

    @property
    def next_test_in_s(self) -> float:
        """Seconds until the next test is due."""
        return max(0.0, self._next_test_s - self.clock.monotonic())

    def status_line(self) -> str:
        """Return what the service manager shows of the agent."""
        ahead = f"next test in {span(self.next_test_in_s)}" if self.next_test_in_s < inf else "budget spent"
        return f"{ahead}, {self.spool.depth().waiting_count} records wait"

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return self.clock.now()


def _saved(spool: Spool, name: str, kind: type[_Kept]) -> _Kept | None:
    """Return what was kept before a restart: a probe without its collector goes on with what it was told."""
    try:
        return msgspec.json.decode(spool.state(name) or "null", type=kind)
    except msgspec.MsgspecError:
        return None
