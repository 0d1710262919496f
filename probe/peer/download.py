"""`GET /v1/download?bytes=N&test=ID`: N incompressible bytes as fast as the line takes them."""

from __future__ import annotations

import time
from http import HTTPStatus

from probe.peer.connection import BadRequest, PeerConnection, Request
from probe.peer.payload import send
from probe.throughput.tcp import suit_to_distance

PIECE_BYTES = 256 * 1024
"""A piece may block as long as its parts move: small enough that a slow reader does not outlast its test by much."""
MOST_BYTES = 2**40
ACCOUNT_BYTES, ACCOUNT_S = 4 * 1024 * 1024, 0.25
"""Accounting takes two locks: not for each piece."""


def download(connection: PeerConnection, request: Request) -> None:
    """Send until the count, the allowance or the other end is done."""
    text = request.query.get("bytes", "")
    if not text.isascii() or not text.isdigit() or not 0 < len(text) <= 13 or int(text) > MOST_BYTES:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"Invalid bytes {text!r}. 0 to {MOST_BYTES}.")
    length = int(text)
    connection.start(HTTPStatus.OK, [("Content-Type", "application/octet-stream")], length)
    if request.verb == "HEAD":
        return
    suit_to_distance(connection.socket)
    peer, sent, spent = connection.peer, 0, 0
    started = accounted = time.monotonic()
    counter = peer.metrics.bytes.labels("downlink")
    try:
        while sent < length:
            room = connection.lease.bytes_left - (sent - spent)
            sent += send(connection.socket, sent, max(1, min(PIECE_BYTES, length - sent, room)))
            now = time.monotonic()
            if sent - spent >= min(ACCOUNT_BYTES, connection.lease.bytes_left) or now - accounted >= ACCOUNT_S:
                accounted = now
                is_allowed = peer.admission.spend(connection.lease, sent - spent)
                counter.inc(sent - spent)
                spent = sent
                if not is_allowed:
                    connection.keep_alive = sent == length
                    break
    finally:
        peer.admission.spend(connection.lease, sent - spent)
        counter.inc(sent - spent)
    connection.note_rate("downlink", sent, time.monotonic() - started)
