"""The rounds of a traceroute: every hop gets its probe in each round, at memoryless times."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from measurement.errors import ConfigError
from probe.path.hops import HopSamples
from probe.path.link import Answer, Link, Probe

GAP_S = 0.01
"""Mean time between two probes: routers limit how many complaints they send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePlan:
    """How to trace."""

    probe_count: int = 10
    ttl_most: int = 30
    interval_s: float = 0.3
    timeout_s: float = 1.5
    silent_most: int = 6
    """After so many silent hops in the first round, nothing farther is asked."""
    rng: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        for name, low, high in (("probe_count", 1, 1000), ("ttl_most", 1, 64)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"Invalid {name} {getattr(self, name)}. {low} to {high}.")


class Trace:
    """One traceroute under way. `is_reached` tells whether the destination itself answered."""

    def __init__(self, link: Link, plan: TracePlan, progress: Callable[[int, int], None] | None = None) -> None:
        self._link, self._plan, self._progress = link, plan, progress
        self._of: dict[int, int] = {}
        self._next = 1
        self.hops: dict[int, HopSamples] = {}
        self.is_reached = False

    def run(self) -> list[HopSamples]:
        """Make all rounds and return the hops up to the destination, or to the last that answered."""
        last = self._round(self._plan.ttl_most, is_first=True)
        for number in range(1, self._plan.probe_count):
            if self._progress is not None:
                self._progress(number, self._plan.probe_count)
            self._pause(self._plan.rng.expovariate(1 / self._plan.interval_s))
            last = min(last, self._round(last, is_first=False))
        self._pause(self._plan.timeout_s, until_complete=True)
        if self._progress is not None:
            self._progress(self._plan.probe_count, self._plan.probe_count)
        return [self.hops[ttl] for ttl in sorted(self.hops) if ttl <= self._end()]

    def _end(self) -> int:
        """Return the TTL of the destination, or of the last hop that answered and one silent one."""
        for ttl, hop in sorted(self.hops.items()):
            if hop.is_destination:
                return ttl
        answered = [ttl for ttl, hop in self.hops.items() if hop.rtt_ms]
        return max(answered, default=0) + 1

    def _round(self, ttl_most: int, *, is_first: bool) -> int:
        for ttl in range(1, ttl_most + 1):
            self._probe(ttl)
            self._pause(min(0.1, self._plan.rng.expovariate(1 / GAP_S)))
            if self.is_reached and ttl >= self._end():
                break
            if is_first and self._is_silent(ttl):
                break
        if is_first:
            self._pause(self._plan.timeout_s, until_complete=True)
        return self._end()

    def _is_silent(self, ttl: int) -> bool:
        """In the first round, wait for stragglers before giving up on what lies beyond."""
        heard = max((at for at, hop in self.hops.items() if hop.rtt_ms), default=0)
        if ttl - heard < self._plan.silent_most:
            return False
        self._pause(self._plan.timeout_s, until_complete=True)
        heard = max((at for at, hop in self.hops.items() if hop.rtt_ms), default=0)
        return ttl - heard >= self._plan.silent_most

    def _probe(self, ttl: int) -> None:
        number, self._next = self._next, self._next + 1
        self._of[number] = ttl
        hop = self.hops.setdefault(ttl, HopSamples(ttl))
        hop.sent_count += 1
        self._link.send(Probe(number, ttl))

    def _pause(self, seconds: float, *, until_complete: bool = False) -> None:
        """Take answers for a while; `until_complete` ends it when none is missing any more."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            for answer in self._link.receive(left):
                self._take(answer)
            if until_complete and not self._of:
                return

    def _take(self, answer: Answer) -> None:
        ttl = self._of.pop(answer.number, None)
        if ttl is None:
            return
        hop = self.hops[ttl]
        hop.rtt_ms.append(answer.rtt_ms)
        hop.addresses[answer.address] = hop.addresses.get(answer.address, 0) + 1
        hop.is_destination = hop.is_destination or answer.is_destination
        hop.is_refusal = hop.is_refusal or (answer.is_refusal and not answer.is_destination)
        self.is_reached = self.is_reached or answer.is_destination
