"""Rate limits: a bucket of tokens for each caller, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

MOST_CALLERS = 100_000


class Rate(NamedTuple):
    """How many requests a second in the long run, and how many at once."""

    per_s: float
    burst: float


class Limiter:
    """Counts requests of each caller. The least recent are forgotten first, which only ever favours them."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        """Limit to `rate` by a monotonic `clock`."""
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, cost: float = 1.0) -> float:
        """Take `cost` tokens and return 0, or return after how many seconds to come back."""
        now = self._clock()
        level, since = self._buckets.get(caller, (self._rate.burst, now))
        level = min(self._rate.burst, level + (now - since) * self._rate.per_s)
        is_allowed = level >= cost
        self._buckets[caller] = (level - cost if is_allowed else level, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (cost - level) / self._rate.per_s

    def blocked_s(self, caller: str) -> float:
        """Return how long this caller must wait, without taking anything."""
        if caller not in self._buckets:
            return 0.0
        level, since = self._buckets[caller]
        level = min(self._rate.burst, level + (self._clock() - since) * self._rate.per_s)
        return 0.0 if level >= 1 else (1 - level) / self._rate.per_s
