"""Stops that a plan asks for (`haidang-analysis plan --tasks`): a drive tests where it comes near one, once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from measurement.errors import DeliveryError
from measurement.record import Position
from probe.agent.clock import Clock
from probe.agent.tasks import DONE_KEPT, Task, current
from probe.position.movement import between_m
from probe.spool.spool import Spool

REACH_M = 200.0
"""A stop is the middle of a map cell of 0.1 km² (H3, resolution 9), whose corners are 200 m away: streets pass by."""

_log = logging.getLogger("haidang.drive")


class Stops:
    """The tasks of this probe that have a place. They and what is done of them are kept in the spool."""

    def __init__(
        self,
        spool: Spool,
        fetch: Callable[[], list[Task]] | None = None,
        *,
        clock: Clock,
        interval_s: float = 900.0,
        reach_m: float = REACH_M,
    ) -> None:
        self._spool, self._fetch, self._clock = spool, fetch, clock
        self._interval_s, self._reach_m = interval_s, reach_m
        self._tasks = msgspec.json.decode(spool.state("tasks") or "[]", type=list[Task])
        self._done = msgspec.json.decode(spool.state("tasks_done") or "[]", type=list[str])
        self._next_s = clock.monotonic()

    def refresh(self) -> None:
        """Ask the collector where that is due; without an answer what was known holds: a drive leaves the network."""
        if self._fetch is None or self._clock.monotonic() < self._next_s:
            return
        self._next_s = self._clock.monotonic() + self._interval_s
        try:
            self._tasks = self._fetch()
        except DeliveryError as error:
            _log.warning("tasks stay as they are: %s", error)
            return
        self._spool.set_state(tasks=msgspec.json.encode(self._tasks).decode())

    @property
    def count(self) -> int:
        """How many stops the collector lists, done ones included."""
        return sum(task.position is not None for task in self._tasks)

    def open(self, now: datetime) -> list[Task]:
        """Return the stops in force that are not done, in the order of the plan."""
        done = frozenset(self._done)
        return [task for task in self._tasks if task.position is not None and current([task], now, done)]

    def nearest(self, position: Position | None, now: datetime) -> tuple[Task, float] | None:
        """Return the nearest open stop and the metres to it."""
        found = [(task, between_m(position, task.position)) for task in self.open(now) if position and task.position]
        return min(found, key=lambda pair: pair[1], default=None)

    def here(self, position: Position | None, now: datetime) -> Task | None:
        """Return the stop that a test at this place would serve."""
        found = self.nearest(position, now)
        return found[0] if found is not None and found[1] <= self._reach_m else None

    def finish(self, task: Task) -> None:
        """Keep that a stop is done."""
        self._done = [*self._done[-DONE_KEPT:], task.id]
        self._spool.set_state(tasks_done=msgspec.json.encode(self._done).decode())
        _log.info("stop %s done", task.id)
