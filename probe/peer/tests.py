"""`POST /v1/test`: ask for a place before a test, or give it back with `?end=ID`."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from probe.peer.admission import Busy
from probe.peer.connection import PeerConnection, Request


def open_test(connection: PeerConnection, request: Request) -> None:
    """Let a test in, or tell it when to come back."""
    connection.read_body(request, 4096)
    admission = connection.peer.admission
    if "end" in request.query:
        lease = admission.find(request.query["end"])
        if lease is not None:
            admission.close(lease)
        connection.respond(HTTPStatus.OK, b"{}")
        return
    try:
        lease = admission.open(connection.address)
    except Busy as busy:
        body = msgspec.json.encode({"error": busy.reason})
        after = [("Retry-After", str(int(busy.retry_after_s) + 1))]
        connection.respond(HTTPStatus.TOO_MANY_REQUESTS, body, headers=after)
        return
    answer = {"test": lease.id, "seconds": admission.limits.test_s, "bytes": lease.bytes_left}
    connection.respond(HTTPStatus.CREATED, msgspec.json.encode(answer))
