"""STAMP's Session-Reflector, stateful (RFC 8762, 4.3): counts each session's packets, so that loss has a direction.

A reply is never longer than its request, requests are limited by address, and all tables are bounded, so that the
reflector is of no use to an attacker.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter, OrderedDict
from typing import Any, Final

from measurement.errors import ConfigError
from probe.latency import kernel_time
from probe.latency.stamp_packet import ERROR_ESTIMATE, PORT, SHORTEST_KEY, Reply, ntp_of_ns, pack_reply, unpack_request

WAKE_S = 0.2
UNKNOWN_TTL = 0
BUFFER_BYTES = 1 << 20


class _Bounded(OrderedDict[Any, Any]):
    """A table that forgets its least recently used row when full."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def put(self, key: Any, value: Any) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


class Reflector:
    """Answer STAMP test packets on a UDP port from a thread of its own.

    `counts` holds `received`, `reflected` and one key for each reason of refusal: `short`, `unsealed`, `rate`, `send`.
    received = reflected + refusals, always.
    """

    REFUSALS: Final = ("short", "unsealed", "rate", "send")

    def __init__(
        self,
        host: str = "",
        port: int = PORT,
        *,
        key: bytes | None = None,
        packets_per_s: float = 500.0,
        burst_count: int = 1000,
        sessions_most: int = 65_536,
        session_idle_s: float = 900.0,
    ) -> None:
        if key is not None and len(key) < SHORTEST_KEY:
            raise ConfigError(f"Invalid STAMP key of {len(key)} bytes. At least {SHORTEST_KEY}.")
        self.counts: Counter[str] = Counter()
        self._key = key
        self._rate, self._burst, self._idle_s = packets_per_s, float(burst_count), session_idle_s
        self._sessions, self._buckets = _Bounded(sessions_most), _Bounded(sessions_most)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._socket = _bind(host, port)
        kernel_time.enable(self._socket)
        kernel_time.ask_for_ttl_and_address(self._socket)

    @property
    def port(self) -> int:
        """The UDP port in use."""
        return int(self._socket.getsockname()[1])

    def start(self) -> Reflector:
        """Begin to answer; returns at once."""
        self._thread = threading.Thread(target=self._serve, name="stamp-reflector", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and close; never blocks longer than a second."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(1.0)
        self._socket.close()

    def __enter__(self) -> Reflector:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                self._answer(kernel_time.receive(self._socket))

    def _answer(self, datagram: kernel_time.Datagram) -> None:
        self.counts["received"] += 1
        outcome = self._reflect(datagram)
        self.counts[outcome] += 1

    def _reflect(self, datagram: kernel_time.Datagram) -> str:
        arrived_ns = datagram.arrived_ns or time.time_ns()
        now = time.monotonic()
        if not self._may_pass(_limited(datagram.source[0]), now):
            return "rate"
        request = unpack_request(datagram.data, self._key)
        if request is None:
            return "short" if len(datagram.data) < (44 if self._key is None else 112) else "unsealed"
        reply = Reply(
            sequence=self._next((*datagram.source[:2], request.session), now),
            replied=ntp_of_ns(time.time_ns()),
            error=ERROR_ESTIMATE,
            session=request.session,
            received=ntp_of_ns(arrived_ns),
            sender_sequence=request.sequence,
            sender_sent=request.sent,
            sender_error=request.error,
            ttl=datagram.ttl if datagram.ttl is not None else UNKNOWN_TTL,
        )
        packet = pack_reply(reply, self._key, datagram.data)
        try:
            if datagram.local:
                self._socket.sendmsg([packet], datagram.local, 0, datagram.source)
            else:
                self._socket.sendto(packet, datagram.source)
        except OSError:
            return "send"
        return "reflected"

    def _may_pass(self, address: str | bytes, now: float) -> bool:
        tokens, seen = self._buckets.get(address, (self._burst, now))
        tokens = min(self._burst, tokens + (now - seen) * self._rate)
        self._buckets.put(address, (tokens - 1 if tokens >= 1 else tokens, now))
        return bool(tokens >= 1)

    def _next(self, session: tuple[Any, ...], now: float) -> int:
        count, seen = self._sessions.get(session, (0, now))
        if now - seen > self._idle_s:
            count = 0
        self._sessions.put(session, (count + 1, now))
        return int(count) & 0xFFFFFFFF


def _limited(address: str) -> str | bytes:
    """Return what shares one limit: an IPv4 address, or the /64 that one IPv6 host may have to itself."""
    if ":" not in address or address.startswith("::ffff:"):
        return address
    return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:8]


def _bind(host: str, port: int) -> socket.socket:
    """Open the port; an empty host is every address, IPv6 and IPv4 where the system has both."""
    sock: socket.socket | None = None
    try:
        if host:
            family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            sock = socket.socket(family, kind, proto)
        else:
            is_dual = socket.has_dualstack_ipv6()
            sock = socket.socket(socket.AF_INET6 if is_dual else socket.AF_INET, socket.SOCK_DGRAM)
            address = ("::", port) if is_dual else ("", port)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        sock.bind(address)
    except (OSError, OverflowError) as error:
        if sock is not None:
            sock.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"Cannot open UDP port {port} on {host or 'every address'}. {reason}.") from None
    sock.settimeout(WAKE_S)
    return sock
