"""Who may test now: bounded places, a fair queue over addresses, and hourly allowances per address.

Fair means: of those who wait, the address with the fewest tests running goes first, and among equals the one that
waited longest. So an address with many probes cannot starve one with a single probe.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from probe.peer.limits import Limits

HOUR_S = 3600.0
LINGER_S = 3.0
"""A test with no stream open ends by itself after this."""
SHARED_STREAMS = 8
"""Streams of one address that share a place: LibreSpeed opens six."""
KNOWN_ADDRESSES = 65_536
"""Addresses whose allowance is remembered: bounds memory against floods of addresses."""


class Busy(Exception):
    """No place now; come back after `retry_after_s`."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Allowance:
    """What an address has used within the running hour."""

    since: float
    tests: int = 0
    seconds: float = 0.0
    bytes: int = 0


@dataclass(slots=True, eq=False)
class Lease:
    """A test that was let in. `rates_bps` holds what the peer itself counted, for tickets."""

    id: str
    address: str
    since: float
    bytes_left: int
    streams: int = 0
    idle_since: float = 0.0
    is_over: bool = False
    is_shared: bool = False
    rates_bps: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Waiting:
    address: str
    since: float


class Admission:
    """Hands out leases. Thread-safe; `clock` is monotonic seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._leases: dict[str, Lease] = {}
        self._waiting: list[_Waiting] = []
        self._used: OrderedDict[str, Allowance] = OrderedDict()
        self._changed = threading.Condition()
        self.on_outcome: Callable[[str], None] = lambda outcome: None
        """Called with `admitted`, `busy` or `ended`, once for each."""

    @property
    def running_count(self) -> int:
        """Tests that hold a place."""
        with self._changed:
            self._expire()
            return len(self._leases)

    @property
    def waiting_count(self) -> int:
        """Tests that wait for a place."""
        with self._changed:
            return len(self._waiting)

    def open(self, address: str, wait_s: float | None = None) -> Lease:
        """Wait for a place, at most `wait_s` (default: the limit's).

        Raises
        ------
        Busy
            Where there is none, or the address has used up its hour.
        """
        with self._changed:
            try:
                lease = self._open(address, self.limits.wait_s if wait_s is None else wait_s)
            except Busy:
                self.on_outcome("busy")
                raise
            self.on_outcome("admitted")
            return lease

    def find(self, test_id: str) -> Lease | None:
        """Return a running test."""
        with self._changed:
            self._expire()
            return self._leases.get(test_id)

    def join(self, address: str) -> Lease:
        """Enter a stream of somebody else's client, which names no test: streams of one address share a place.

        Raises
        ------
        Busy
            As `open`.
        """
        with self._changed:
            self._expire()
            now = self._clock()
            for lease in self._leases.values():
                is_young = now - lease.since < self.limits.test_s / 2
                if lease.is_shared and lease.address == address and lease.streams < SHARED_STREAMS and is_young:
                    lease.streams += 1
                    return lease
        lease = self.open(address)
        lease.is_shared = True
        self.enter(lease)
        return lease

    def enter(self, lease: Lease) -> None:
        """Note that a stream of the test begins."""
        with self._changed:
            lease.streams += 1

    def leave(self, lease: Lease) -> None:
        """Note that a stream of the test ended."""
        with self._changed:
            lease.streams -= 1
            lease.idle_since = self._clock()

    def close(self, lease: Lease) -> None:
        """End a test; its place is free at once. Ending twice is harmless."""
        with self._changed:
            self._close(lease)

    def spend(self, lease: Lease, count: int) -> bool:
        """Take bytes off the allowance; False where the test must end."""
        with self._changed:
            lease.bytes_left -= count
            allowance = self._allowance(lease.address)
            allowance.bytes += count
            return (
                not lease.is_over
                and lease.bytes_left > 0
                and allowance.bytes < self.limits.bytes_per_address_hour
                and self._clock() - lease.since < self.limits.test_s
            )

    def _open(self, address: str, wait_s: float) -> Lease:
        self._check_hour(address)
        if len(self._waiting) >= self.limits.waiting:
            raise Busy("The queue is full.", self.limits.wait_s)
        me = _Waiting(address, self._clock())
        self._waiting.append(me)
        try:
            while not self._is_next(me):
                left = me.since + wait_s - self._clock()
                if left <= 0:
                    raise Busy("No place is free.", max(1.0, self.limits.wait_s))
                self._changed.wait(min(left, 0.5))
        finally:
            self._waiting.remove(me)
            self._changed.notify_all()
        self._check_hour(address)
        now = self._clock()
        lease = Lease(secrets.token_urlsafe(16), address, now, self.limits.test_bytes, idle_since=now)
        self._allowance(address).tests += 1
        self._leases[lease.id] = lease
        return lease

    def _is_next(self, me: _Waiting) -> bool:
        self._expire()
        if len(self._leases) >= self.limits.tests:
            return False
        running: dict[str, int] = {}
        for lease in self._leases.values():
            running[lease.address] = running.get(lease.address, 0) + 1
        able = [w for w in self._waiting if running.get(w.address, 0) < self.limits.tests_per_address]
        return bool(able) and min(able, key=lambda w: (running.get(w.address, 0), w.since)) is me

    def _expire(self) -> None:
        now = self._clock()
        for lease in list(self._leases.values()):
            is_idle = lease.streams <= 0 and now - lease.idle_since > LINGER_S
            if is_idle or now - lease.since > self.limits.test_s + LINGER_S:
                self._close(lease)

    def _close(self, lease: Lease) -> None:
        if self._leases.pop(lease.id, None) is None:
            return
        lease.is_over = True
        self.on_outcome("ended")
        self._allowance(lease.address).seconds += self._clock() - lease.since
        self._changed.notify_all()

    def _allowance(self, address: str) -> Allowance:
        now = self._clock()
        allowance = self._used.get(address)
        if allowance is None or now - allowance.since >= HOUR_S:
            allowance = self._used[address] = Allowance(now)
        self._used.move_to_end(address)
        while len(self._used) > KNOWN_ADDRESSES:
            self._used.popitem(last=False)
        return allowance

    def _check_hour(self, address: str) -> None:
        allowance, limits = self._allowance(address), self.limits
        if (
            allowance.tests >= limits.tests_per_address_hour
            or allowance.seconds >= limits.seconds_per_address_hour
            or allowance.bytes >= limits.bytes_per_address_hour
        ):
            raise Busy("This address has used up its hour.", max(1.0, allowance.since + HOUR_S - self._clock()))
