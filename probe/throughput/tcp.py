"""Linux TCP_INFO: what the kernel knows of a connection. Only this file knows its layout (include/uapi/linux/tcp.h)."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

_SIZE = 232
_MIN_RTT_US = 148
_BYTES_SENT, _BYTES_RETRANS = 200, 208
_RTT_US = 68


class TcpState(NamedTuple):
    """Round trips and retransmissions of one connection; absent where the system does not tell."""

    rtt_min_ms: float | None = None
    rtt_ms: float | None = None
    bytes_sent: int = 0
    bytes_retransmitted: int = 0


def read_tcp_state(sock: socket.socket) -> TcpState:
    """Read TCP_INFO; an empty state where there is none."""
    if not hasattr(socket, "TCP_INFO"):
        return TcpState()
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:
        return TcpState()
    if len(data) < _BYTES_RETRANS + 8:
        return TcpState()
    (min_rtt,) = struct.unpack_from("=I", data, _MIN_RTT_US)
    (rtt,) = struct.unpack_from("=I", data, _RTT_US)
    sent, again = struct.unpack_from("=QQ", data, _BYTES_SENT)
    least = None if min_rtt in (0, 0xFFFFFFFF) else min_rtt / 1000
    return TcpState(least, rtt / 1000 if rtt else None, sent, again)


# u32 and u64 fields by name, for those who pass the kernel's counters on (ndt7's measurement message).
_COUNTERS = {"rtt": (_RTT_US, "=I"), "rttvar": (72, "=I"), "min_rtt": (_MIN_RTT_US, "=I")}
_COUNTERS |= {"bytes_acked": (120, "=Q"), "bytes_received": (128, "=Q"), "busy_time": (168, "=Q")}
_COUNTERS |= {"rwnd_limited": (176, "=Q"), "sndbuf_limited": (184, "=Q")}
_COUNTERS |= {"bytes_sent": (_BYTES_SENT, "=Q"), "bytes_retrans": (_BYTES_RETRANS, "=Q")}


def read_tcp_counters(sock: socket.socket) -> dict[str, int]:
    """Read the counters by the kernel's names, times in microseconds; empty where the system has none."""
    if not hasattr(socket, "TCP_INFO"):
        return {}
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:
        return {}
    if len(data) < _BYTES_RETRANS + 8:
        return {}
    return {name: int(struct.unpack_from(kind, data, offset)[0]) for name, (offset, kind) in _COUNTERS.items()}
