"""The fields of Linux's TCP_INFO that ndt7 passes on, by the protocol's names (include/uapi/linux/tcp.h)."""

from __future__ import annotations

import socket
import struct

_LEAST_BYTES = 216
_FIELDS = {
    "RTT": (68, "=I"),
    "RTTVar": (72, "=I"),
    "BytesAcked": (120, "=Q"),
    "BytesReceived": (128, "=Q"),
    "MinRTT": (148, "=I"),
    "BusyTime": (168, "=Q"),
    "RWndLimited": (176, "=Q"),
    "SndBufLimited": (184, "=Q"),
    "BytesSent": (200, "=Q"),
    "BytesRetrans": (208, "=Q"),
}


def read_tcp_counters(sock: socket.socket) -> dict[str, int]:
    """Read the counters, times in microseconds; empty where the system has none."""
    if not hasattr(socket, "TCP_INFO"):
        return {}
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:
        return {}
    if len(data) < _LEAST_BYTES:
        return {}
    return {name: int(struct.unpack_from(kind, data, offset)[0]) for name, (offset, kind) in _FIELDS.items()}
