"""`POST /v1/upload?test=ID`: swallow a body, streaming back what has arrived: lines of `nanoseconds bytes held`.

The nanoseconds are the peer's monotonic clock, one for all streams, so the probe forms the rate where bytes arrive.
`held` are bytes that arrived behind a missing segment, as the kernel counts them.
Lines come at least each 50 ms, also while nothing arrives: a stall is seen, not guessed.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import time
from http import HTTPStatus

from probe.peer.connection import BadRequest, PeerConnection, Request
from probe.throughput.tcp import Ahead

LINE_SECONDS = 0.025
"""Half a slice: two lines a slice make the cut between slices exact."""
STALL_SECONDS = 10.0
PIECE_BYTES = 1024 * 1024
# With MSG_TRUNC the kernel drops the bytes instead of copying them; MSG_WAITALL spares a wake-up for each packet.
DISCARD = socket.MSG_TRUNC | socket.MSG_WAITALL if sys.platform == "linux" else 0


def upload(connection: PeerConnection, request: Request) -> None:
    """Count a body as it arrives."""
    if "transfer-encoding" in request.headers or "content-length" not in request.headers:
        raise BadRequest(HTTPStatus.LENGTH_REQUIRED, "A body needs Content-Length.")
    length = request.content_length
    if request.headers.get("expect", "").lower() == "100-continue":
        connection.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.start(HTTPStatus.OK, [("Content-Type", "text/plain")])
    received = min(length, len(connection.take_over()))
    connection.set_time_limit(LINE_SECONDS)
    sock, scratch = connection.socket, bytearray(PIECE_BYTES)
    flags = 0 if isinstance(sock, ssl.SSLSocket) else DISCARD
    peer, ahead = connection.peer, Ahead(sock)
    counter = peer.metrics.bytes.labels("uplink")
    started = told = arrived = time.monotonic()
    spent = 0
    _tell(sock, received, 0)
    while received < length:
        try:
            count = sock.recv_into(scratch, min(PIECE_BYTES, length - received), flags)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            count = -1
        now = time.monotonic()
        if count > 0:
            received += count
            arrived = now
        if count == 0 or now - arrived > STALL_SECONDS:
            break
        if now - told >= LINE_SECONDS:
            told = now
            counter.inc(received - spent)
            is_allowed = peer.admission.spend(connection.lease, received - spent)
            spent = received
            _tell(sock, received, ahead.held_bytes())
            if not is_allowed:
                break
    counter.inc(received - spent)
    peer.admission.spend(connection.lease, received - spent)
    connection.note_rate("uplink", received, time.monotonic() - started)
    with contextlib.suppress(OSError):
        _tell(sock, received, 0)


def _tell(sock: socket.socket, received: int, held: int) -> None:
    sock.sendall(b"%d %d %d\n" % (time.monotonic_ns(), received, held))
