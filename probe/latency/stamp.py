"""STAMP's Session-Sender (RFC 8762, 4.2): RTT = (T4 - T1) - (T3 - T2), loss by direction, kernel timestamps."""

from __future__ import annotations

import contextlib
import socket
import threading

from measurement.errors import ConfigError
from measurement.vocabulary import LatencyMethod
from probe.latency.plan import EchoPlan, Endpoint
from probe.latency.session import Answer, Session
from probe.latency.stamp_packet import (
    ERROR_ESTIMATE,
    OPEN_SIZE,
    SEALED_SIZE,
    SHORTEST_KEY,
    Request,
    ns_between,
    ntp_of_ns,
    pack_request,
    unpack_reply,
)
from probe.latency.stamp_reflector import Reflector
from probe.latency.statistics import Echoes

__all__ = ["Reflector", "Sender", "measure"]

TTL = 255


class Sender:
    """The codec of one test session; with a key, in authenticated mode."""

    def __init__(self, plan: EchoPlan, key: bytes | None = None) -> None:
        if key is not None and len(key) < SHORTEST_KEY:
            raise ConfigError(f"Invalid STAMP key of {len(key)} bytes. At least {SHORTEST_KEY}.")
        self._key = key
        self._size = max(plan.size_bytes, OPEN_SIZE if key is None else SEALED_SIZE)
        self._session = plan.rng.randrange(1, 1 << 16)
        self._sent: list[int] = []

    def compose(self, number: int, wall_ns: int) -> bytes:
        """Return the packet of probe `number`."""
        self._sent.append(ntp_of_ns(wall_ns))
        return pack_request(Request(number, self._sent[-1], ERROR_ESTIMATE, self._session), self._key, self._size)

    def read(self, packet: bytes) -> Answer | None:
        """Believe a reply that carries the very time its probe was sent at, so that nobody can guess one."""
        reply = unpack_reply(packet, self._key)
        if reply is None or reply.sender_sequence >= len(self._sent):
            return None
        if reply.sender_sent != self._sent[reply.sender_sequence]:
            return None
        return Answer(reply.sender_sequence, reply.sequence, ns_between(reply.received, reply.replied))


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
    sender = Sender(plan, endpoint.key)
    session = Session(LatencyMethod.STAMP, _connect(endpoint), sender, plan)
    session.echoes.is_stateful = plan.is_stateful
    return session.run(stop)
