"""The streams of a phase on non-blocking sockets: bytes in, or bytes out with the peer's counts coming back."""

from __future__ import annotations

import socket
import ssl
import sys
import time

from measurement.vocabulary import Failure, Operation
from probe.failures import NetworkFailure
from probe.throughput.series import Series
from probe.throughput.tcp import Ahead, suit_to_distance

PIECE_BYTES = 1024 * 1024
UNSENT_BYTES, UNSENT_S = 64 * 1024, 0.02
"""Unsent bytes the kernel may hold for a stream, at least, and in time: more would only wait, and starve none."""
LONGEST_LINE = 64
LEAD_S = 0.5
"""What a peer's clock may run ahead of ours in a test; one that jumps would count hours that were seconds."""
TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
_WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Inflow:
    """A download. Where the kernel can, it drops the bytes unread (`MSG_TRUNC`) and only counts them."""

    wants_write = False

    def __init__(self, sock: socket.socket, length: int, ahead: bytes, portable: bool = False) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.series = Series()
        self.moved = self.received = len(ahead)
        self._length = length
        self._ahead = Ahead(sock)
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        can_discard = sys.platform == "linux" and not self._is_tls and not portable
        self._flags = socket.MSG_TRUNC if can_discard else 0
        self._scratch = bytearray(PIECE_BYTES if can_discard else 256 * 1024)

    def pump(self, limit: int) -> int:
        """Take what is there, up to about `limit` bytes; return how many.

        Raises
        ------
        NetworkFailure
            Where the body ended early.
        OSError
            As the socket says.
        """
        taken = 0
        while taken < limit and self.received < self._length:
            try:
                count = self.socket.recv_into(self._scratch, 0, self._flags)
            except _WAIT:
                break
            if count == 0:
                raise NetworkFailure(Failure.EOF_ERROR, Operation.TRANSFER, "The peer closed in the middle.")
            taken += count
            self.received += count
            if count < len(self._scratch) and not self._is_tls:
                break
        self.moved = self.received
        return taken

    def expect(self, rate_bps: float) -> None:
        """Nothing: the peer sends as it can."""

    def note(self, now: float) -> None:
        """Add a point to the series; right after `pump` it is exact."""
        self.series.add(now, self.received + self._ahead.held_bytes())

    @property
    def is_done(self) -> bool:
        """Has the whole body arrived?"""
        return self.received >= self._length

    def close(self) -> None:
        """Drop the connection and whatever is under way."""
        _reset(self.socket)


class Outflow:
    """An upload, asked for at `asked_s` (monotonic). What counts is what the peer says has arrived, on its clock."""

    wants_write = True

    def __init__(self, sock: socket.socket, length: int, portable: bool = False, *, asked_s: float) -> None:
        sock.setblocking(False)
        self.socket = sock
        self._asked_s = asked_s
        self._first_ns: int | None = None
        self._unsent = 0
        suit_to_distance(sock)
        self.expect(0.0)
        self.series = Series()
        self.moved = 0
        self._length = length
        self._portable = portable
        self._text = b""

    def pump(self, limit: int) -> int:
        """Send what the kernel takes and read what the peer tells; return the bytes sent.

        Raises
        ------
        NetworkFailure
            Where the peer closed or told nonsense.
        OSError
            As the socket says.
        """
        from probe.peer.payload import send

        sent = 0
        try:
            while sent < limit and self.moved < self._length:
                wanted = min(PIECE_BYTES, limit - sent, self._length - self.moved)
                count = send(self.socket, self.moved, wanted, self._portable)
                sent += count
                self.moved += count
                if count < wanted:
                    break
        except _WAIT:
            pass
        self.listen()
        return sent

    def expect(self, rate_bps: float) -> None:
        """Let the kernel hold as much unsent as the stream's rate needs between two turns of the loop."""
        unsent = max(UNSENT_BYTES, round(rate_bps / 8 * UNSENT_S))
        if unsent > 1.5 * self._unsent and sys.platform in ("linux", "darwin"):
            self.socket.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent)
            self._unsent = unsent

    def listen(self) -> None:
        """Read the peer's counts."""
        while True:
            try:
                data = self.socket.recv(65_536)
            except _WAIT:
                return
            if not data:
                if self.is_done and self.series.counts and self.series.counts[-1] >= self.moved:
                    return  # it has told the last count
                raise NetworkFailure(Failure.EOF_ERROR, Operation.TRANSFER, "The peer closed in the middle.")
            *lines, self._text = (self._text + data).split(b"\n")
            if len(self._text) > LONGEST_LINE:
                raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The peer's counts are no lines.")
            for line in lines:
                self._take(line)

    def take_ahead(self, ahead: bytes) -> None:
        """Begin with what came together with the answer's head."""
        self._text = ahead

    def _take(self, line: bytes) -> None:
        parts = line.split()
        if len(parts) != 3 or not all(part.isdigit() and len(part) <= 19 for part in parts):
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The peer's counts are no numbers.")
        now_ns, arrived, held = (int(part) for part in parts)
        if arrived > self.moved:
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The peer counts more than was sent.")
        self._first_ns = now_ns if self._first_ns is None else self._first_ns
        if (now_ns - self._first_ns) / 1e9 > time.monotonic() - self._asked_s + LEAD_S:
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The peer's clock runs ahead of ours.")
        self.series.add(now_ns / 1e9, min(arrived + held, self.moved))

    def note(self, now: float) -> None:
        """Nothing: the peer notes."""

    @property
    def is_done(self) -> bool:
        """Is everything sent that may be?"""
        return self.moved >= self._length

    def close(self) -> None:
        """Drop the connection and whatever is under way."""
        _reset(self.socket)


Flow = Inflow | Outflow


def _reset(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    except OSError:
        pass
    finally:
        sock.close()
