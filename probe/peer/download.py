"""`GET /v1/download?bytes=N&test=ID`: N incompressible bytes as fast as the line takes them."""

from __future__ import annotations

import time
from http import HTTPStatus

from probe.peer.connection import BadRequest, PeerConnection, Request
from probe.peer.payload import send

PIECE_BYTES = 1024 * 1024
MOST_BYTES = 2**40


def download(connection: PeerConnection, request: Request) -> None:
    """Send until the count, the allowance or the other end is done."""
    text = request.query.get("bytes", "")
    if not text.isascii() or not text.isdigit() or not 0 < len(text) <= 13 or int(text) > MOST_BYTES:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"Invalid bytes {text!r}. 0 to {MOST_BYTES}.")
    length = int(text)
    connection.start(HTTPStatus.OK, [("Content-Type", "application/octet-stream")], length)
    if request.verb == "HEAD":
        return
    peer, sent, started = connection.peer, 0, time.monotonic()
    counter = peer.metrics.bytes.labels("downlink")
    while sent < length:
        taken = send(connection.socket, sent, min(PIECE_BYTES, length - sent))
        sent += taken
        counter.inc(taken)
        if not peer.admission.spend(connection.lease, taken) and sent < length:
            connection.keep_alive = False
            break
    connection.note_rate("downlink", sent, time.monotonic() - started)
