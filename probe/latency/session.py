"""The loop that every datagram method shares: send by the plan, gather replies, keep time."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import threading
import time
from typing import NamedTuple, Protocol

from measurement.vocabulary import LatencyMethod
from probe.latency import kernel_time
from probe.latency.plan import EchoPlan
from probe.latency.statistics import Echoes

STOP_CHECK_S = 0.05
SHORTEST_PATIENCE_S = 0.1
DEPARTURE_MOST_NS = 1_000_000_000


class Answer(NamedTuple):
    """A reply that is one of ours: to which probe, the reflector's own count and time, where it tells them."""

    number: int
    reflected: int = -1
    inside_ns: int = 0


class Codec(Protocol):
    """What a method adds to the loop: its packets."""

    def compose(self, number: int, wall_ns: int) -> bytes:
        """Return the packet of probe `number`, sent at `wall_ns`."""

    def read(self, packet: bytes) -> Answer | None:
        """Return whose answer it is; `None` where it is none of ours. Never raises, whatever the bytes."""


class Session:
    """One run over a connected, non-blocking datagram socket, which it closes."""

    def __init__(self, method: LatencyMethod, sock: socket.socket, codec: Codec, plan: EchoPlan) -> None:
        self._socket, self._codec, self._plan = sock, codec, plan
        self._sent_ns: list[int] = []
        self._wall_less_monotonic: list[int] = []
        self._left_kernel: list[int] = []
        self._arrived: dict[int, tuple[int, Answer]] = {}
        self._reflected_seen: set[int] = set()
        self._highest = -1
        self.echoes = Echoes(method)
        self.echoes.has_kernel_time = kernel_time.enable(sock, departures=True)
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(sock, select.POLLIN)

    def run(self, stop: threading.Event | None = None) -> Echoes:
        """Send by the plan, then wait for the replies under way."""
        plan, start = self._plan, time.perf_counter()
        end = start + plan.duration_s if plan.duration_s is not None else math.inf
        due, most = start, plan.count if plan.count is not None else math.inf
        with self._socket:
            while len(self._sent_ns) < most and due < end and not (stop is not None and stop.is_set()):
                if time.perf_counter() >= due:
                    self._send()
                    due += plan.next_interval_s()
                self._gather(min(due, end, time.perf_counter() + STOP_CHECK_S))
            self._await_late(stop)
        return self._finish()

    def _send(self) -> None:
        number = len(self._sent_ns)
        now, wall = kernel_time.both_clocks()
        packet = self._codec.compose(number, wall)
        self._sent_ns.append(now)
        self._wall_less_monotonic.append(wall - now)
        # The ICMP error of an earlier packet surfaces at a send and is spent by it, so one more try is honest.
        for _ in range(2):
            with contextlib.suppress(OSError):
                self._socket.send(packet)
                self._left_kernel.append(number)
                return

    def _gather(self, until: float) -> None:
        """Take replies until the time `until` (`perf_counter` seconds)."""
        while True:
            left = until - time.perf_counter()
            if not self._wait(max(0.0, left)):
                return
            try:
                while True:
                    self._take(kernel_time.receive(self._socket))
            except OSError:
                self._correct_departures()
            if left <= 0:
                return

    def _wait(self, timeout_s: float) -> bool:
        if self._poll is not None:
            return bool(self._poll.poll(timeout_s * 1000))
        return bool(select.select([self._socket], [], [], timeout_s)[0])

    def _correct_departures(self) -> None:
        """Replace the time read before `send` by the time the packet left the kernel."""
        for place, wall in kernel_time.departures(self._socket):
            if place < len(self._left_kernel):
                number = self._left_kernel[place]
                left = wall - self._wall_less_monotonic[number]
                if 0 <= left - self._sent_ns[number] < DEPARTURE_MOST_NS:
                    self._sent_ns[number] = left

    def _take(self, datagram: kernel_time.Datagram) -> None:
        arrived = kernel_time.monotonic_of(datagram.arrived_ns)
        answer = self._codec.read(datagram.data)
        if answer is None or answer.number >= len(self._sent_ns):
            self.echoes.refused_count += 1
            return
        if answer.number in self._arrived:
            self.echoes.duplicate_count += 1
            # The reflector counted it once more: it was doubled on the way up, else on the way down.
            self.echoes.duplicate_uplink_count += answer.reflected not in self._reflected_seen
        else:
            self._arrived[answer.number] = (arrived, answer)
            self.echoes.reordered_count += answer.number < self._highest
            self._highest = max(self._highest, answer.number)
        self._reflected_seen.add(answer.reflected)

    def _await_late(self, stop: threading.Event | None) -> None:
        """Wait for the replies under way: the plan's timeout, or when stopped and some came, four of the longest."""
        patience = self._plan.timeout_s
        if self._arrived and stop is not None and stop.is_set():
            longest = max(at - self._sent_ns[number] for number, (at, _) in self._arrived.items()) / 1e9
            patience = min(patience, max(SHORTEST_PATIENCE_S, 4 * longest))
        end = (self._sent_ns[-1] / 1e9 if self._sent_ns else 0.0) + patience
        while len(self._arrived) < len(self._sent_ns) and time.perf_counter() < end:
            self._gather(min(end, time.perf_counter() + STOP_CHECK_S))
        self._correct_departures()

    def _finish(self) -> Echoes:
        echoes, timeout_ns = self.echoes, int(self._plan.timeout_s * 1e9)
        for number, sent in enumerate(self._sent_ns):
            at, answer = self._arrived.get(number, (0, None))
            is_late = answer is not None and at - sent > timeout_ns
            echoes.at_s.append((sent - self._sent_ns[0]) / 1e9)
            echoes.reflected.append(answer.reflected if answer is not None else -1)
            echoes.rtt_ms.append(math.nan if answer is None or is_late else _rtt_ms(at - sent, answer.inside_ns))
        return echoes


def _rtt_ms(elapsed_ns: int, inside_ns: int) -> float:
    """Take the reflector's own time off, where its clock did not jump meanwhile."""
    return (elapsed_ns - inside_ns if 0 <= inside_ns < elapsed_ns else elapsed_ns) / 1e6
