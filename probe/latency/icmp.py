"""ICMP echo (RFC 792, RFC 4443) over the datagram socket that needs no privilege, else raw, else by scapy."""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import threading
from collections.abc import Callable

from measurement.errors import InstrumentError
from measurement.vocabulary import LatencyMethod
from probe.latency.plan import EchoPlan, Endpoint
from probe.latency.session import Answer, Session
from probe.latency.statistics import Echoes

PAYLOAD_BYTES = 56
HOW_TO_GRANT = (
    "ICMP needs a right this process has not. "
    "Grant it to every user by: sysctl -w net.ipv4.ping_group_range='0 2147483647'"
)
_HEADER = struct.Struct("!BBHHH")
_NONCE = struct.Struct("!QQ")
_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071).

    Examples
    --------
    >>> hex(checksum(bytes([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])))
    '0x220d'
    """
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1]))
    if len(data) & 1:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Pinger:
    """The codec of one run; its secret in the payload tells our replies from others'."""

    def __init__(self, family: socket.AddressFamily, plan: EchoPlan) -> None:
        self._family = family
        self._identifier = plan.rng.randrange(1 << 16)
        self._secret = plan.rng.randrange(1 << 64)

    def compose(self, number: int, wall_ns: int) -> bytes:
        """Return the echo request of probe `number`."""
        head = (_REQUEST[self._family], 0, 0, self._identifier, number & 0xFFFF)
        payload = _NONCE.pack(self._secret, number).ljust(PAYLOAD_BYTES, b"\0")
        return _HEADER.pack(*head[:2], checksum(_HEADER.pack(*head) + payload), *head[3:]) + payload

    def read(self, packet: bytes) -> Answer | None:
        """Believe a reply that carries our secret. The identifier is the kernel's to change, so it does not count."""
        if self._family == socket.AF_INET and packet[:1] and packet[0] >> 4 == 4:
            packet = packet[(packet[0] & 0xF) * 4 :]  # macOS gives the IP header too
        if len(packet) < _HEADER.size + _NONCE.size or packet[0] != _REPLY[self._family] or packet[1] != 0:
            return None
        secret, number = _NONCE.unpack_from(packet, _HEADER.size)
        return Answer(number) if secret == self._secret else None


def _socket(family: socket.AddressFamily, address: str, kind: socket.SocketKind) -> socket.socket:
    proto = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        sock.connect((address, 0))
    except OSError:
        sock.close()
        raise
    return sock


def by_socket(kind: socket.SocketKind, endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None) -> Echoes:
    """Ping through the kernel's own ICMP socket, datagram or raw."""
    family, _, _, _, address = socket.getaddrinfo(endpoint.host, None, type=socket.SOCK_DGRAM)[0]
    sock = _socket(family, str(address[0]), kind)
    return Session(LatencyMethod.ICMP, sock, Pinger(family, plan), plan).run(stop)


def by_scapy(endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None) -> Echoes:
    """Ping through scapy's raw socket: slower, but there where the kernel has no ICMP socket for us (Windows)."""
    from probe.latency.icmp_scapy import measure as measure_by_scapy

    return measure_by_scapy(endpoint, plan, stop)


WAYS: dict[str, Callable[[Endpoint, EchoPlan, threading.Event | None], Echoes]] = {
    "datagram": functools.partial(by_socket, socket.SOCK_DGRAM),
    "raw": functools.partial(by_socket, socket.SOCK_RAW),
    "scapy": by_scapy,
}
"""Tried in this order: the first needs no privilege."""


def measure(endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None = None) -> Echoes:
    """Ping a host by the first way this process may use.

    Raises
    ------
    InstrumentError
        Where none is allowed, with the cure.
    """
    for way in WAYS.values():
        with contextlib.suppress(PermissionError):
            return way(endpoint, plan, stop)
    raise InstrumentError(f"{HOW_TO_GRANT}.")
