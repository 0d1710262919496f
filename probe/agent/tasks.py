"""Remote tasks: what the collector asks of this probe, validated and bounded by the local limits."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, time
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from measurement.errors import ConfigError, DeliveryError
from measurement.record import Position
from probe.agent.budget import Limits
from probe.agent.schedule import parse_window
from probe.collector_client import CollectorClient
from probe.position.movement import between_m
from probe.servers import Candidate, check, is_meant
from probe.settings import LEAST_TEST_BYTES, Settings

MAX_TASKS = 500
"""As many as a plan has stops at most (`haidang-analysis plan --tests`)."""
DONE_KEPT = 2 * MAX_TASKS
"""What is done is remembered for longer than the collector lists it, else it would be done again."""

REACH_M = 400.0
"""A probe that stands this near measures the same cells of the network: so a plan gives it the stop."""

_log = logging.getLogger("haidang.tasks")

_EVERY = re.compile(r"^every ([0-9]{1,6})\s*([smhd])$")
_DAILY = re.compile(r"^daily ((?:(?:[01][0-9]|2[0-3]):[0-5][0-9][, ]*)+)$")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2})")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_Url = Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=200)]


class Wanted(NamedTuple):
    """When a task wants tests: an interval, times of the day, or one test and no more."""

    mean_interval_s: float | None = None
    daily: tuple[time, ...] = ()
    is_once: bool = False


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task. Fields it does not know are passed over: the collector may be newer.

    `schedule` is `every 15m`, `daily 08:00` or `once`; `budget_bytes` is what one of its tests may cost; `position` is
    where it is wanted.
    """

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
    schedule: Annotated[str, Meta(min_length=1, max_length=100)]
    windows: Annotated[list[str], Meta(max_length=50)] | None = None
    peers: Annotated[list[_Url], Meta(max_length=32)] = []
    campaign: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    budget_bytes: Annotated[int, Meta(ge=0, le=2**50)] | None = None
    position: Position | None = None
    is_certified: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def wanted(self) -> Wanted:
        """Read the schedule; raises ConfigError where it is none."""
        text = self.schedule.strip().lower()
        if text == "once":
            return Wanted(is_once=True)
        if match := _EVERY.match(text):
            return Wanted(mean_interval_s=max(30.0, float(match[1]) * _UNITS[match[2]]))
        if match := _DAILY.match(text):
            return Wanted(daily=tuple(time(int(h), int(m)) for h, m in _TIME.findall(match[1])))
        raise ConfigError(f"Invalid schedule {self.schedule!r}. Such as 'every 15m', 'daily 08:00' or 'once'.")


def fetch(client: CollectorClient) -> list[Task]:
    """Ask the collector; a task that is invalid is left out and told, the others hold.

    Raises
    ------
    DeliveryError
        Where there is no usable answer: the tasks known so far stay in force.
    """
    reply = client.get("/v1/tasks")
    if reply.status != 200:
        raise DeliveryError(f"{client.url}/v1/tasks: HTTP {reply.status}", reply.retry_after_s)
    return parse(reply.body)


def parse(body: bytes) -> list[Task]:
    """Read an answer of `GET /v1/tasks`."""
    try:
        raw = msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise DeliveryError(f"tasks: {error}") from None
    listed = raw.get("tasks") if isinstance(raw, dict) else None
    if not isinstance(listed, list):
        raise DeliveryError("tasks: no list of tasks")
    return [task for index, one in enumerate(listed[:MAX_TASKS]) if (task := _valid(one, index)) is not None]


def _valid(raw: Any, index: int) -> Task | None:
    try:
        task = msgspec.convert(raw, Task)
        _ = task.wanted
        for window in task.windows or ():
            parse_window(window)
        check([Candidate(url=url) for url in task.peers])
    except (msgspec.ValidationError, ConfigError) as error:
        _log.warning("task %d refused: %s", index, error)
        return None
    for name in ("valid_from", "valid_until"):
        moment = getattr(task, name)
        if moment is not None and moment.tzinfo is None:
            _log.warning("task %d refused: %s has no time zone", index, name)
            return None
    return task


def current(tasks: list[Task], now: datetime, done: frozenset[str] = frozenset()) -> Task | None:
    """Return the first task in force; a task that wanted one test is over once it is done."""
    for task in tasks:
        begun = task.valid_from is None or task.valid_from <= now
        if begun and (task.valid_until is None or now < task.valid_until) and task.id not in done:
            return task
    return None


def within_reach(tasks: list[Task], fix: Callable[[], Position | None]) -> list[Task]:
    """Leave out tasks for a place that this probe is known to be away from; one that knows no place was chosen for it.

    `fix` is asked only where a task has a place.
    """
    here = fix() if any(task.position is not None for task in tasks) else None
    if here is None:
        return tasks
    reach_m = REACH_M + (here.accuracy_m or 0.0)
    return [task for task in tasks if task.position is None or between_m(here, task.position) <= reach_m]


def bounded(settings: Settings, task: Task | None) -> Settings:
    """Return the settings with what the task asks, never beyond what the device's owner allows.

    A task may make tests rarer at will, at most twice as frequent, and cheaper, never dearer. It may name other peers,
    but none that the owner has excluded.
    """
    if task is None:
        return settings
    replace = msgspec.structs.replace
    local = settings.schedule
    interval = max(task.wanted.mean_interval_s or local.mean_interval_s, local.mean_interval_s / 2)
    test_bytes = _lesser(task.budget_bytes, settings.budget.test_bytes)
    listed = task.peers if settings.allow_task_peers else []
    asked = [url for url in listed if not is_meant(Candidate(url=url), settings.exclude)]
    if asked:
        settings = replace(settings, peers=asked, pin=None, exclude=[], roles=[])
    return replace(
        settings,
        campaign=task.campaign or settings.campaign,
        is_thorough=settings.is_thorough or task.is_certified,
        schedule=replace(
            local, mean_interval_s=interval, windows=local.windows if task.windows is None else task.windows
        ),
        budget=replace(settings.budget, test_bytes=test_bytes),
    )


def _lesser(asked: int | None, local: int) -> int:
    """Return the smaller limit, where 0 means none, and none under what a test needs."""
    if not asked:
        return local
    asked = max(asked, LEAST_TEST_BYTES)
    return asked if local == 0 else min(asked, local)


def limits_of(settings: Settings) -> Limits:
    """Return the limits of a budget section; 0 is no limit."""
    budget = settings.budget
    return Limits(budget.test_bytes or None, budget.day_bytes or None, budget.month_bytes or None)
