"""Timestamps the kernel takes as a datagram passes, so that a busy interpreter does not look like a slow network.

Linux gives them by SO_TIMESTAMPING (arrival and departure) or SO_TIMESTAMPNS (arrival). Elsewhere `enable` says no and
the clock is read in Python. Departure stamps come back on the socket's error queue, numbered as the packets were sent.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

# <asm-generic/socket.h>, <linux/net_tstamp.h>, <linux/in.h>, <linux/in6.h>: Python names none of these.
_SO_TIMESTAMPNS = 35
_SO_TIMESTAMPING = 37
_TX_SOFTWARE, _RX_SOFTWARE, _SOFTWARE, _OPT_ID, _OPT_TSONLY = 1 << 1, 1 << 3, 1 << 4, 1 << 7, 1 << 11
_IP_PKTINFO, _IP_TTL, _IP_RECVERR, _IP_RECVTTL = 8, 2, 11, 12
_IPV6_RECVERR, _IPV6_RECVPKTINFO, _IPV6_PKTINFO, _IPV6_RECVHOPLIMIT, _IPV6_HOPLIMIT = 25, 49, 50, 51, 52
_ORIGIN_TIMESTAMPING = 4
_MSG_ERRQUEUE = 0x2000
_TIMESPEC = struct.Struct("@ll")
_EXTENDED_ERROR = struct.Struct("@IBBBBII")
_CONTROL_BYTES = 512

IS_LINUX = sys.platform.startswith("linux")
Control = list[tuple[int, int, bytes]]


class Datagram(NamedTuple):
    """What arrived: `arrived_ns` is the wall clock in the kernel, `None` where it gives none."""

    data: bytes
    source: Any
    arrived_ns: int | None
    ttl: int | None
    local: Control


def enable(sock: socket.socket, *, departures: bool = False) -> bool:
    """Ask the kernel for timestamps; say whether arrivals will carry one."""
    if not IS_LINUX:
        return False
    arrivals = _RX_SOFTWARE | _SOFTWARE
    if departures:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, arrivals | _TX_SOFTWARE | _OPT_ID | _OPT_TSONLY)
            return True
    for option, value in ((_SO_TIMESTAMPNS, 1), (_SO_TIMESTAMPING, arrivals)):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, value)
            return True
    return False


def ask_for_ttl_and_address(sock: socket.socket) -> None:
    """Have each datagram tell its TTL and the local address it came to."""
    if not IS_LINUX:
        return
    options = [(socket.IPPROTO_IP, _IP_RECVTTL), (socket.IPPROTO_IP, _IP_PKTINFO)]
    if sock.family == socket.AF_INET6:
        options += [(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT), (socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO)]
    for level, option in options:
        with contextlib.suppress(OSError):
            sock.setsockopt(level, option, 1)


def _stamp_of(data: bytes) -> int | None:
    if len(data) < _TIMESPEC.size:
        return None
    seconds, ns = _TIMESPEC.unpack_from(data)
    return seconds * 1_000_000_000 + ns or None


def receive(sock: socket.socket, size: int = 65_535) -> Datagram:
    """Receive one datagram with all the kernel says about it."""
    if not IS_LINUX:
        data, source = sock.recvfrom(size)
        return Datagram(data, source, None, None, [])
    data, control, _, source = sock.recvmsg(size, _CONTROL_BYTES)
    arrived = ttl = None
    local: Control = []
    for level, kind, value in control:
        if level == socket.SOL_SOCKET and kind in (_SO_TIMESTAMPNS, _SO_TIMESTAMPING):
            arrived = _stamp_of(value)
        elif (level, kind) in ((socket.IPPROTO_IP, _IP_TTL), (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT)):
            ttl = int.from_bytes(value[:4], sys.byteorder) & 0xFF
        elif (level, kind) in ((socket.IPPROTO_IP, _IP_PKTINFO), (socket.IPPROTO_IPV6, _IPV6_PKTINFO)):
            local = [(level, kind, _answer_from(kind, value))]
    return Datagram(data, source, arrived, ttl, local)


def _answer_from(kind: int, value: bytes) -> bytes:
    """Keep the local address and leave the way out to the routing table."""
    if kind == _IPV6_PKTINFO:
        return value[:16] + bytes(4)
    return bytes(4) + value[4:8] + bytes(4)


def departures(sock: socket.socket) -> Iterator[tuple[int, int]]:
    """Yield (number of the packet sent on this socket from 0, wall clock in ns) waiting on the error queue."""
    if not IS_LINUX:
        return
    while True:
        try:
            _, control, _, _ = sock.recvmsg(0, _CONTROL_BYTES, _MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOMSG):
                return
            continue  # an ICMP error that waited on the socket: reading it clears it
        left = number = None
        for level, kind, value in control:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPING:
                left = _stamp_of(value)
            elif (level, kind) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
                _, origin, _, _, _, _, data = _EXTENDED_ERROR.unpack_from(value)
                number = data if origin == _ORIGIN_TIMESTAMPING else None
        if left is not None and number is not None:
            yield number, left


def both_clocks() -> tuple[int, int]:
    """Read the monotonic and the wall clock as one instant, in ns; read again where something came between."""
    best = (0, 0, 1 << 62)
    for _ in range(4):
        before, wall, after = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
        best = min(best, ((before + after) // 2, wall, after - before), key=lambda read: read[2])
        if after - before < 2_000:
            break
    return best[0], best[1]


def monotonic_of(kernel_ns: int | None, longest_ns: int = 2_000_000_000) -> int:
    """Place a kernel's wall-clock stamp of just now on the monotonic clock; without one, or a clock that jumped, now.

    A stamp is believed where it lies within `longest_ns` before now.
    """
    now, wall = both_clocks()
    if kernel_ns is None or not 0 <= wall - kernel_ns <= longest_ns:
        return now
    return now - (wall - kernel_ns)
