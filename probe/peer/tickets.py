"""`GET /v1/ticket`: a signed word that a browser really tested here, for the collector to check.

Format: base64url(JSON) "." base64url(HMAC-SHA-256 of the first part), both without padding. The JSON holds `exp` (Unix
seconds), `nonce`, and what this peer counted: `downlink_bps`, `uplink_bps`. A ticket uses up the rates it states.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from http import HTTPStatus

import msgspec

from probe.peer.connection import BadRequest, PeerConnection, Request

TICKET_SECONDS = 600


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
