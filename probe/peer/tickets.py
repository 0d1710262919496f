"""`GET /v1/ticket`: a signed word that a browser really tested here, for the collector to check.

Format: base64url(JSON) "." base64url(HMAC-SHA-256 of the first part), both without padding. The JSON holds `exp` (Unix
seconds), `nonce`, and what this peer counted: `downlink_bps`, `uplink_bps`. A ticket uses up the rates it states.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from probe.peer.connection import BadRequest, PeerConnection, Request

TICKET_SECONDS = 600
REMEMBERED = 10_000
STREAMS = 16


class Stream(NamedTuple):
    """One transfer on the peer's monotonic clock."""

    start_s: float
    end_s: float
    bytes_count: int


def together_bps(streams: Iterable[Stream]) -> float:
    """Return the rate of the streams that ran together with the last one; earlier tests are not added to it.

    Examples
    --------
    >>> together_bps([Stream(0, 10, 999), Stream(20, 30, 500), Stream(21, 30, 750)])
    1000.0
    """
    last = max(streams, key=lambda stream: stream.end_s)
    beside = [stream for stream in streams if stream.end_s > last.start_s]
    span_s = last.end_s - min(stream.start_s for stream in beside)
    return sum(stream.bytes_count for stream in beside) * 8 / span_s


class Rates:
    """The last streams counted per address; bounded and thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streams: OrderedDict[str, dict[str, deque[Stream]]] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, address: str, direction: str, count: int, seconds: float) -> None:
        """Remember a stream that has just ended."""
        now = self._clock()
        with self._lock:
            ways = self._streams.pop(address, {})
            ways.setdefault(direction, deque(maxlen=STREAMS)).append(Stream(now - seconds, now, count))
            self._streams[address] = ways
            while len(self._streams) > REMEMBERED:
                self._streams.popitem(last=False)

    def take(self, address: str) -> dict[str, float] | None:
        """Return the rates of an address and forget its streams, None where they are absent or old."""
        with self._lock:
            ways = self._streams.pop(address, {})
        since = self._clock() - TICKET_SECONDS
        fresh = {way: streams for way, streams in ways.items() if streams[-1].end_s >= since}
        return {way: together_bps(streams) for way, streams in fresh.items()} or None


def sign(claims: dict[str, object], key: bytes) -> str:
    """Return a ticket."""
    body = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=")
    mark = base64.urlsafe_b64encode(hmac.new(key, body, hashlib.sha256).digest()).rstrip(b"=")
    return (body + b"." + mark).decode("ascii")


def ticket(connection: PeerConnection, request: Request) -> None:
    """Issue a ticket for the test that this address has just run."""
    key = connection.peer.settings.ticket_key
    if key is None:
        raise BadRequest(HTTPStatus.NOT_FOUND, "This peer issues no tickets.")
    rates = connection.peer.rates.take(connection.address)
    if rates is None:
        raise BadRequest(HTTPStatus.FORBIDDEN, "No test of this address is known.")
    claims: dict[str, object] = {"exp": int(time.time()) + TICKET_SECONDS, "nonce": secrets.token_urlsafe(12)}
    claims |= {f"{direction}_bps": rates.get(direction) for direction in ("downlink", "uplink")}
    connection.peer.metrics.tickets.inc()
    connection.respond(HTTPStatus.OK, msgspec.json.encode({"ticket": sign(claims, key)}))
