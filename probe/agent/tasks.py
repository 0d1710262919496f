"""Remote tasks: what the collector asks of this probe, validated and bounded by the local limits."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from measurement.errors import ConfigError, DeliveryError
from probe.agent.budget import Limits
from probe.agent.schedule import parse_window
from probe.collector_client import CollectorClient
from probe.settings import Settings

MAX_TASKS = 32

_log = logging.getLogger("haidang.tasks")

_Url = Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=200)]


class TaskSchedule(msgspec.Struct, frozen=True):
    """When a task wants tests."""

    mean_interval_s: Annotated[float, Meta(ge=30, le=366 * 86_400)] | None = None
    windows: Annotated[list[str], Meta(max_length=50)] | None = None


class TaskBudget(msgspec.Struct, frozen=True):
    """What a task may cost; it can only be less than the local limits."""

    test_bytes: Annotated[int, Meta(ge=1)] | None = None
    day_bytes: Annotated[int, Meta(ge=1)] | None = None
    month_bytes: Annotated[int, Meta(ge=1)] | None = None


class Task(msgspec.Struct, frozen=True):
    """One task. Fields it does not know are passed over: the collector may be newer."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
    schedule: TaskSchedule = TaskSchedule()
    peers: Annotated[list[_Url], Meta(max_length=16)] = []
    campaign: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    budget: TaskBudget = TaskBudget()
    is_certified: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None


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
        for window in task.schedule.windows or ():
            parse_window(window)
    except (msgspec.ValidationError, ConfigError) as error:
        _log.warning("task %d refused: %s", index, error)
        return None
    for name in ("valid_from", "valid_until"):
        moment = getattr(task, name)
        if moment is not None and moment.tzinfo is None:
            _log.warning("task %d refused: %s has no time zone", index, name)
            return None
    return task


def current(tasks: list[Task], now: datetime) -> Task | None:
    """Return the first task in force."""
    for task in tasks:
        begun = task.valid_from is None or task.valid_from <= now
        if begun and (task.valid_until is None or now < task.valid_until):
            return task
    return None


def bounded(settings: Settings, task: Task | None) -> Settings:
    """Return the settings with what the task asks, never beyond what the device's owner allows.

    A task may make tests rarer at will, at most twice as frequent, and cheaper, never dearer.
    """
    if task is None:
        return settings
    replace = msgspec.structs.replace
    wanted, local = task.schedule, settings.schedule
    interval = max(wanted.mean_interval_s or local.mean_interval_s, local.mean_interval_s / 2)
    windows = local.windows if wanted.windows is None else wanted.windows
    names = ("test_bytes", "day_bytes", "month_bytes")
    limits = {name: _lesser(getattr(task.budget, name), getattr(settings.budget, name)) for name in names}
    return replace(
        settings,
        peers=(list(task.peers) if settings.allow_task_peers else []) or settings.peers,
        campaign=task.campaign or settings.campaign,
        is_thorough=settings.is_thorough or task.is_certified,
        schedule=replace(local, mean_interval_s=interval, windows=windows),
        budget=replace(settings.budget, **limits),
    )


def _lesser(asked: int | None, local: int) -> int:
    """Return the smaller limit, where 0 locally means none."""
    if asked is None:
        return local
    return asked if local == 0 else min(asked, local)


def limits_of(settings: Settings) -> Limits:
    """Return the limits of a budget section; 0 is no limit."""
    budget = settings.budget
    return Limits(budget.test_bytes or None, budget.day_bytes or None, budget.month_bytes or None)
