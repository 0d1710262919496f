"""Bytes a test, a day and a month may cost, and how far the schedule must be thinned to fit.

The month and the day are civil ones of the deployment's time zone, as a SIM plan counts them. What is spent is kept in
the spool, so that a restart does not forget it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from math import inf
from typing import NamedTuple

import msgspec

from probe.settings import LEAST_TEST_BYTES

EARLIEST_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)  # before this program was written: a clock nobody has set
LEARNING_RATE = 0.2  # weight of the newest test in the mean cost: a changed network is learnt within five tests


class Limits(NamedTuple):
    """Bytes; None is no limit."""

    test_bytes: int | None = None
    day_bytes: int | None = None
    month_bytes: int | None = None


class Spent(msgspec.Struct):
    """What was spent, as it is kept. `mean_bytes` is the running mean cost of a test."""

    day: str = ""
    day_bytes: int = 0
    month: str = ""
    month_bytes: int = 0
    mean_bytes: float = 0.0


class Allowance(NamedTuple):
    """What the next test may cost; None is no limit. `reason` names the limit that binds."""

    test_bytes: int | None
    reason: str | None

    @property
    def is_enough(self) -> bool:
        """Say whether a throughput test is worth its start."""
        return self.test_bytes is None or self.test_bytes >= LEAST_TEST_BYTES


class Budget:
    """Counts what is spent and thins the schedule. `load` and `save` keep its state."""

    def __init__(
        self,
        limits: Limits,
        *,
        zone: tzinfo | None = None,
        load: Callable[[], str | None] = lambda: None,
        save: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.limits, self._zone, self._save = limits, zone, save
        self.spent = _read(load())

    def allowance(self, now: datetime) -> Allowance:
        """Return what the next test may cost."""
        self._turn(now)
        rooms = (
            ("test", self.limits.test_bytes),
            ("day", _left(self.limits.day_bytes, self.spent.day_bytes)),
            ("month", _left(self.limits.month_bytes, self.spent.month_bytes)),
        )
        known = [(room, name) for name, room in rooms if room is not None]
        if not known:
            return Allowance(None, None)
        room, name = min(known)
        return Allowance(room, name)

    def spend(self, now: datetime, bytes_count: int) -> None:
        """Count what a test has cost."""
        self._turn(now)
        spent = self.spent
        spent.day_bytes += bytes_count
        spent.month_bytes += bytes_count
        known = spent.mean_bytes or float(bytes_count)
        spent.mean_bytes = known + LEARNING_RATE * (bytes_count - known)
        self._save(msgspec.json.encode(spent).decode())

    def stretch(self, now: datetime, mean_interval_s: float) -> float:
        """Return by how much the mean interval must grow (≥ 1) for what is left to last until the limits renew.

        Infinite where less than one mean test is left: then the renewal is waited for.
        """
        self._turn(now)
        cost = self.spent.mean_bytes
        if cost <= 0:
            return 1.0  # nothing is known before the first test; the allowance bounds that one
        local = now.astimezone(self._zone)
        day_end = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        month_end = (local.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(
            day=1
        )
        factors = [1.0]
        for limit, spent, end in (
            (self.limits.day_bytes, self.spent.day_bytes, day_end),
            (self.limits.month_bytes, self.spent.month_bytes, month_end),
        ):
            if limit is not None:
                tests_left = max(0.0, limit - spent) / cost
                seconds_left = (end - local).total_seconds()
                factors.append(seconds_left / (mean_interval_s * tests_left) if tests_left >= 1 else inf)
        return max(factors)

    def seconds_to_renewal(self, now: datetime) -> float:
        """Return the seconds until a limit renews, infinite where there is none: a draw beyond it is drawn again then.

        Intervals are memoryless, so drawing again changes nothing but the budget it is drawn under.
        """
        if self.limits.day_bytes is None and self.limits.month_bytes is None:
            return inf
        local = now.astimezone(self._zone)
        return (local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - local).total_seconds()

    def _turn(self, now: datetime) -> None:
        """Begin a new day or month where the civil date has gone on.

        A clock that was never set counts for the period before it; one set back takes what is spent with it. So a
        device without a battery clock does not get a fresh budget at each start.
        """
        if now < EARLIEST_CLOCK and self.spent.month:
            return
        local = now.astimezone(self._zone)
        day, month = f"{local:%Y-%m-%d}", f"{local:%Y-%m}"
        if self.spent.day < day:
            self.spent.day_bytes = 0
        if self.spent.month < month:
            self.spent.month_bytes = 0
        self.spent.day, self.spent.month = day, month


def _left(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


def _read(text: str | None) -> Spent:
    try:
        return msgspec.json.decode(text or "{}", type=Spent)
    except msgspec.MsgspecError:
        return Spent()
