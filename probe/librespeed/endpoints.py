"""LibreSpeed's three endpoints at the peer: `garbage` sends, `empty` swallows, `getIP` tells the client's address."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Iterator
from http import HTTPStatus

import msgspec

from probe.peer.admission import Admission, Busy, Lease
from probe.peer.connection import BadRequest, PeerConnection, Request
from probe.peer.payload import send

CHUNK_BYTES = 1024 * 1024
CHUNKS_DEFAULT = 4
CHUNKS_MOST = 1024
"""LibreSpeed's own bounds of ckSize."""
BODY_MOST_BYTES = 1 << 30
KNOWN_MOST = 1024
HEADERS = (("Content-Description", "File Transfer"), ("Content-Transfer-Encoding", "binary"))


_leases: weakref.WeakKeyDictionary[Admission, dict[str, str]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


@contextlib.contextmanager
def test_of(connection: PeerConnection) -> Iterator[Lease]:
    """Count a request as a stream of its address's running test: LibreSpeed's clients name none, and open many.

    Raises
    ------
    BadRequest
        Where no test may begin now.
    """
    admission = connection.peer.admission
    with _lock:
        known = _leases.setdefault(admission, {})
        lease = admission.find(known.get(connection.address, ""))
    if lease is None:
        try:
            lease = admission.open(connection.address)
        except Busy as busy:
            raise BadRequest(HTTPStatus.TOO_MANY_REQUESTS, busy.reason) from None
        with _lock:
            for address in [a for a, test in known.items() if len(known) > KNOWN_MOST and not admission.find(test)]:
                del known[address]
            known[connection.address] = lease.id
    admission.enter(lease)
    try:
        yield lease
    finally:
        admission.leave(lease)


def garbage(connection: PeerConnection, request: Request) -> None:
    """Send `ckSize` mebibytes of incompressible data."""
    text = request.query.get("ckSize", str(CHUNKS_DEFAULT))
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"Invalid ckSize {text!r}. 1 to {CHUNKS_MOST}.")
    length = min(max(1, int(text)), CHUNKS_MOST) * CHUNK_BYTES
    with test_of(connection) as lease:
        connection.start(HTTPStatus.OK, [("Content-Type", "application/octet-stream"), *HEADERS], length)
        if request.verb != "HEAD":
            _send(connection, lease, length)


def _send(connection: PeerConnection, lease: Lease, length: int) -> None:
    counter, sent, started = connection.peer.metrics.bytes.labels("downlink"), 0, time.monotonic()
    while sent < length:
        taken = send(connection.socket, sent, min(CHUNK_BYTES, length - sent))
        sent += taken
        counter.inc(taken)
        if not connection.peer.admission.spend(lease, taken) and sent < length:
            connection.keep_alive = False
            break
    connection.note_rate("downlink", sent, time.monotonic() - started)


def empty(connection: PeerConnection, request: Request) -> None:
    """Swallow a body, if there is one, and answer with nothing."""
    if "transfer-encoding" in request.headers:
        raise BadRequest(HTTPStatus.LENGTH_REQUIRED, "A body needs Content-Length.")
    if not 0 <= request.content_length <= BODY_MOST_BYTES:
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Invalid body. At most {BODY_MOST_BYTES} bytes.")
    if request.content_length:
        with test_of(connection) as lease:
            _swallow(connection, lease, request.content_length)
    connection.respond(HTTPStatus.OK, content_type="text/plain")


def _swallow(connection: PeerConnection, lease: Lease, length: int) -> None:
    counter, started = connection.peer.metrics.bytes.labels("uplink"), time.monotonic()
    received = 0
    for count in connection.drain(length):
        received += count
        counter.inc(count)
        if not connection.peer.admission.spend(lease, count) and received < length:
            raise BadRequest(HTTPStatus.TOO_MANY_REQUESTS, "This test has used up its bytes.")
    connection.note_rate("uplink", received, time.monotonic() - started)


def get_ip(connection: PeerConnection, request: Request) -> None:
    """Tell the client its own address; nothing is kept."""
    del request
    with contextlib.suppress(OSError):
        body = msgspec.json.encode({"processedString": connection.address, "rawIspInfo": ""})
        connection.respond(HTTPStatus.OK, body)
