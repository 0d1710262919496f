"""STAMP's Session-Sender (RFC 8762): RTT = (T4 - T1) - (T3 - T2), loss by direction, kernel timestamps."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import threading
import time

from measurement.errors import ConfigError
from measurement.vocabulary import LatencyMethod
from probe.latency import kernel_time
from probe.latency.plan import EchoPlan, Endpoint
from probe.latency.stamp_packet import (
    ERROR_ESTIMATE,
    OPEN_SIZE,
    SEALED_SIZE,
    SHORTEST_KEY,
    Reply,
    Request,
    ns_between,
    ntp_of_ns,
    pack_request,
    unpack_reply,
)
from probe.latency.stamp_reflector import Reflector
from probe.latency.statistics import Echoes

__all__ = ["Reflector", "Sender", "measure"]

STOP_CHECK_S = 0.05
SHORTEST_PATIENCE_S = 0.1
TTL = 255


class Sender:
    """One test session: a socket, what was sent, and what came back."""

    def __init__(self, endpoint: Endpoint, plan: EchoPlan) -> None:
        if endpoint.key is not None and len(endpoint.key) < SHORTEST_KEY:
            raise ConfigError(f"Invalid STAMP key of {len(endpoint.key)} bytes. At least {SHORTEST_KEY}.")
        self._plan, self._key = plan, endpoint.key
        self._size = max(plan.size_bytes, OPEN_SIZE if endpoint.key is None else SEALED_SIZE)
        self._session = plan.rng.randrange(1, 1 << 16)
        self._socket = _connect(endpoint)
        self._sent_ntp: list[int] = []
        self._sent_ns: list[int] = []
        self._wall_less_monotonic: list[int] = []
        self._arrived: dict[int, tuple[int, Reply]] = {}
        self._reflected_seen: set[int] = set()
        self._highest = -1
        self.echoes = Echoes(LatencyMethod.STAMP, is_stateful=plan.is_stateful)
        self.echoes.has_kernel_time = kernel_time.enable(self._socket, departures=True)
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(self._socket, select.POLLIN)

    def run(self, stop: threading.Event | None = None) -> Echoes:
        """Send by the plan, gather the replies, close the socket."""
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
        now, wall = kernel_time.both_clocks()
        stamp = ntp_of_ns(wall)
        request = Request(len(self._sent_ns) & 0xFFFFFFFF, stamp, ERROR_ESTIMATE, self._session)
        self._sent_ntp.append(stamp)
        self._sent_ns.append(now)
        self._wall_less_monotonic.append(wall - now)
        # An ICMP error of an earlier packet surfaces here; this packet then counts as lost, as it is.
        with contextlib.suppress(OSError):
            self._socket.send(pack_request(request, self._key, self._size))

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
            return bool(self._poll.poll(math.ceil(timeout_s * 1000) if timeout_s > 0.002 else timeout_s * 1000))
        return bool(select.select([self._socket], [], [], timeout_s)[0])

    def _correct_departures(self) -> None:
        """Replace the time read before `send` by the time the packet left the kernel."""
        for number, wall in kernel_time.departures(self._socket):
            if number < len(self._sent_ns):
                left = wall - self._wall_less_monotonic[number]
                if 0 <= left - self._sent_ns[number] < 1_000_000_000:
                    self._sent_ns[number] = left

    def _take(self, datagram: kernel_time.Datagram) -> None:
        arrived = kernel_time.monotonic_of(datagram.arrived_ns)
        reply = unpack_reply(datagram.data, self._key)
        if (
            reply is None
            or reply.sender_sequence >= len(self._sent_ntp)
            or reply.sender_sent != self._sent_ntp[reply.sender_sequence]
        ):
            self.echoes.refused_count += 1
            return
        number = reply.sender_sequence
        if number in self._arrived:
            self.echoes.duplicate_count += 1
            # The reflector counted it again: it was doubled on the way up, else on the way down.
            self.echoes.duplicate_uplink_count += reply.sequence not in self._reflected_seen
            self._reflected_seen.add(reply.sequence)
            return
        self._reflected_seen.add(reply.sequence)
        self._arrived[number] = (arrived, reply)
        self.echoes.reordered_count += number < self._highest
        self._highest = max(self._highest, number)

    def _await_late(self, stop: threading.Event | None) -> None:
        """Wait for the replies under way: the plan's timeout, or when stopped and some came, four of the longest."""
        patience = self._plan.timeout_s
        if self._arrived and stop is not None and stop.is_set():
            longest = max(at - self._sent_ns[number] for number, (at, _) in self._arrived.items()) / 1e9
            patience = min(patience, max(SHORTEST_PATIENCE_S, 4 * longest))
        last = self._sent_ns[-1] / 1e9 if self._sent_ns else 0.0
        while len(self._arrived) < len(self._sent_ns) and time.perf_counter() < last + patience:
            self._gather(min(last + patience, time.perf_counter() + STOP_CHECK_S))
        self._correct_departures()

    def _finish(self) -> Echoes:
        echoes, timeout_ns = self.echoes, int(self._plan.timeout_s * 1e9)
        for number, sent in enumerate(self._sent_ns):
            at, reply = self._arrived.get(number, (0, None))
            is_late = reply is not None and at - sent > timeout_ns
            echoes.at_s.append((sent - self._sent_ns[0]) / 1e9)
            echoes.reflected.append(reply.sequence if reply is not None else -1)
            echoes.rtt_ms.append(math.nan if reply is None or is_late else _rtt_ms(at - sent, reply))
        return echoes


def _rtt_ms(elapsed_ns: int, reply: Reply) -> float:
    """Take the reflector's own time off, where its clock did not jump meanwhile."""
    inside = ns_between(reply.received, reply.replied)
    return (elapsed_ns - inside if 0 <= inside < elapsed_ns else elapsed_ns) / 1e6


def _connect(endpoint: Endpoint) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_DGRAM)[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def measure(endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None = None) -> Echoes:
    """Run one session."""
    return Sender(endpoint, plan).run(stop)
