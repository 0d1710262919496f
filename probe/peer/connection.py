"""One connection at the peer: reads request heads within strict bounds, writes answers, hands the socket over."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

import h11

from probe.peer.admission import Lease
from probe.peer.state import PeerState

HEAD_BYTES = 16 * 1024
"""Largest request head."""
HEAD_SECONDS = 10.0
"""A head must be complete by then, however slowly its bytes drip (slow-loris)."""
IDLE_SECONDS = 30.0
"""A kept connection may wait this long for its next request."""

Headers = Iterable[tuple[str, str]]


class Request(NamedTuple):
    """One request head. Header names are in lower case; the last of equal names counts."""

    verb: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def content_length(self) -> int:
        """Announced length of the body; 0 where there is none."""
        return int(self.headers.get("content-length", "0"))


class BadRequest(Exception):
    """The other end does not speak HTTP within our bounds."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Gone(Exception):
    """The other end closed, or let its time pass."""


class PeerConnection:
    """A socket with what was read ahead of it. `socket` may be plain or TLS and is blocking, with time limits."""

    def __init__(self, sock: socket.socket, address: str, peer: PeerState) -> None:
        self.socket = sock
        self.address = address
        self.peer = peer
        self.lease: Lease
        """The test this stream belongs to; set before a handler of a test is called."""
        self.keep_alive = False
        self.is_taken_over = False
        self._ahead = b""

    def note_rate(self, direction: str, count: int, seconds: float) -> None:
        """Remember what this stream carried, for a ticket; a transfer too small to be a test is none."""
        if count >= 10_000 and seconds > 0:
            self.peer.rates.note(self.address, direction, count, seconds)

    def set_time_limit(self, seconds: float) -> None:
        """Let no single read or write block longer than this. The socket stays blocking, so that the kernel waits."""
        self.socket.setblocking(True)
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def next_request(self) -> Request:
        """Read one request head.

        Raises
        ------
        BadRequest
            Where the head is malformed, too large or too slow.
        Gone
            Where the connection ended between requests.
        """
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        started: float | None = None
        data = self._ahead
        self._ahead = b""
        while True:
            try:
                if data:
                    started = started or time.monotonic()
                    parser.receive_data(data)
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                raise BadRequest(HTTPStatus(error.error_status_hint), f"{error}.") from None
            if isinstance(event, h11.Request):
                self._ahead = parser.trailing_data[0]
                return self._request(event)
            if event is not h11.NEED_DATA:
                raise Gone
            data = self._read_head(started)

    def _read_head(self, started: float | None) -> bytes:
        left = IDLE_SECONDS if started is None else started + HEAD_SECONDS - time.monotonic()
        if left <= 0:
            raise BadRequest(HTTPStatus.REQUEST_TIMEOUT, f"The head took over {HEAD_SECONDS:g} s.")
        self.set_time_limit(left)
        try:
            data = self.socket.recv(4096)
        except OSError:
            if started is None:
                raise Gone from None
            raise BadRequest(HTTPStatus.REQUEST_TIMEOUT, f"The head took over {HEAD_SECONDS:g} s.") from None
        if not data:
            raise Gone
        return data

    def _request(self, event: h11.Request) -> Request:
        if event.http_version not in (b"1.0", b"1.1"):
            raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.0 or HTTP/1.1.")
        try:
            target = urlsplit(event.target.decode("ascii"))
            query = dict(parse_qsl(target.query, max_num_fields=32))
        except ValueError as error:
            raise BadRequest(HTTPStatus.BAD_REQUEST, f"Invalid target. {error}.") from None
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        self.keep_alive = event.http_version == b"1.1" and headers.get("connection", "").lower() != "close"
        return Request(event.method.decode("ascii"), target.path, query, headers)

    def take_over(self) -> bytes:
        """Give the socket to the handler; return what was read beyond the head."""
        self.is_taken_over = True
        self.keep_alive = False
        ahead, self._ahead = self._ahead, b""
        return ahead

    def read_body(self, request: Request, limit: int) -> bytes:
        """Read a small body.

        Raises
        ------
        BadRequest
            Where it is larger than `limit` or chunked.
        Gone
            Where it ends early.
        """
        if "transfer-encoding" in request.headers:
            raise BadRequest(HTTPStatus.LENGTH_REQUIRED, "A body needs Content-Length.")
        length = request.content_length
        if length > limit:
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Invalid body of {length} bytes. At most {limit}.")
        body = bytearray(self._ahead[:length])
        self._ahead = self._ahead[length:]
        while len(body) < length:
            data = self.socket.recv(min(65536, length - len(body)))
            if not data:
                raise Gone
            body += data
        return bytes(body)

    def drain(self, length: int) -> Iterator[int]:
        """Read a body and forget it; yield how many bytes came, as they come.

        Raises
        ------
        Gone
            Where it ends early.
        """
        count = min(length, len(self._ahead))
        self._ahead = self._ahead[count:]
        if count:
            yield count
        left, scratch = length - count, bytearray(min(length, 256 * 1024))
        while left:
            count = self.socket.recv_into(scratch, min(left, len(scratch)))
            if not count:
                raise Gone
            left -= count
            yield count

    def start(self, status: HTTPStatus, headers: Headers = (), length: int | None = None) -> None:
        """Write an answer's head. Without `length` the body ends where the connection does."""
        if length is None:
            self.keep_alive = False
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Cache-Control: no-store", *self.peer.common_headers]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Length: {length}"] if length is not None else []
        lines.append("Connection: keep-alive" if self.keep_alive else "Connection: close")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def respond(
        self, status: HTTPStatus, body: bytes = b"", content_type: str = "application/json", headers: Headers = ()
    ) -> None:
        """Write a whole answer."""
        self.start(status, [("Content-Type", content_type), *headers], len(body))
        if body:
            self.socket.sendall(body)
