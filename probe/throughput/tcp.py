"""Linux TCP_INFO: what the kernel knows of a connection. Only this file knows its layout (include/uapi/linux/tcp.h)."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from typing import NamedTuple

_RCV_MSS, _RTT_US = 20, 68
_BYTES_RECEIVED, _MIN_RTT_US, _DATA_SEGS_IN = 128, 148, 152
_BUSY_US, _RWND_LIMITED_US = 168, 176
_BYTES_SENT, _BYTES_RETRANS = 200, 208
_SIZE = 216
_SO_MEMINFO = 55
NEIGHBOUR_MS = 0.5
"""A round trip below this is loopback or one switch."""
_HAS_TCP_INFO = sys.platform == "linux" and hasattr(socket, "TCP_INFO")


class TcpState(NamedTuple):
    """Round trips, retransmissions and waits of one connection; absent where the system does not tell."""

    rtt_min_ms: float | None = None
    rtt_ms: float | None = None
    bytes_sent: int = 0
    bytes_retransmitted: int = 0
    busy_us: int = 0
    window_limited_us: int = 0


def _info(sock: socket.socket) -> bytes | None:
    if not _HAS_TCP_INFO:
        return None
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:
        return None
    return data if len(data) >= _SIZE else None


def read_tcp_state(sock: socket.socket) -> TcpState:
    """Read TCP_INFO; an empty state where there is none."""
    data = _info(sock)
    if data is None:
        return TcpState()
    (least,), (rtt,) = struct.unpack_from("=I", data, _MIN_RTT_US), struct.unpack_from("=I", data, _RTT_US)
    sent, again = struct.unpack_from("=QQ", data, _BYTES_SENT)
    busy, limited = struct.unpack_from("=QQ", data, _BUSY_US)
    is_known = least not in (0, 0xFFFFFFFF)
    return TcpState(least / 1000 if is_known else None, rtt / 1000 if rtt else None, sent, again, busy, limited)


def suit_to_distance(sock: socket.socket) -> None:
    """Send to a neighbour by CUBIC: BBR's pacing costs a timer for each burst and has nothing to learn there.

    Everything farther keeps the system's choice, best BBR, which loss on the air does not mislead.
    """
    rtt_ms = read_tcp_state(sock).rtt_ms
    if rtt_ms is not None and rtt_ms < NEIGHBOUR_MS and hasattr(socket, "TCP_CONGESTION"):
        with contextlib.suppress(OSError):  # not built in, or not allowed to us
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")


class Ahead:
    """Bytes that have arrived behind a hole: TCP holds them until the missing segment comes.

    An application sees nothing, then a burst; the line never paused. The kernel counts data segments as they arrive
    (`tcpi_data_segs_in`), so bytes held = segments x segment size - bytes in order. Duplicates would add up: whenever
    the receive memory is empty nothing is held, and the count starts anew.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._surplus = 0

    def held_bytes(self) -> int:
        """Return the bytes held now, 0 where the system does not tell. Read everything in order first."""
        data = _info(self._socket)
        if data is None:
            return 0
        (size,), (segments,) = struct.unpack_from("=I", data, _RCV_MSS), struct.unpack_from("=I", data, _DATA_SEGS_IN)
        (in_order,) = struct.unpack_from("=Q", data, _BYTES_RECEIVED)
        surplus = segments * size - in_order
        if self._memory() == 0:
            self._surplus = surplus
        return max(0, int(surplus - self._surplus))

    def _memory(self) -> int:
        try:
            data = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
            return int.from_bytes(data[:4], sys.byteorder)
        except OSError:
            return 0
