"""Tickets for browsers: a peer that ran a test signs one, and the collector takes one record for it.

Format: base64url(JSON) "." base64url(HMAC-SHA-256 of the first part), both without padding, under a secret that peer
and collector share (a file of mode 0600). The JSON holds `exp` (Unix seconds) and `nonce`, and the rates that the peer
counted (`downlink_bps`, `uplink_bps`). `probe/peer/tickets.py` is the other side.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from measurement.errors import ConfigError

LIFE_S = 600
MOST_USED = 100_000
_TICKET = re.compile(r"^([A-Za-z0-9_-]{1,1000})\.([A-Za-z0-9_-]{43})$")
SECRET_FILE = "ticket.secret"


def secret_of(path: str | None, folder: Path) -> bytes:
    """Return the shared secret, made in `folder` where no file is configured.

    Raises
    ------
    ConfigError
        Where the file cannot be read or is too short.
    """
    file = folder / SECRET_FILE if path is None else Path(path)
    try:
        if path is None and not file.exists():
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_hex(32) + "\n")
        secret = file.read_text("ascii").strip().encode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"$.ticket_secret_file: Invalid file {str(file)!r}. {error}") from None
    if len(secret) < 32:
        raise ConfigError(f"$.ticket_secret_file: Invalid file {str(file)!r}. At least 32 letters.")
    return secret


class _Claims(msgspec.Struct):
    exp: int
    nonce: Annotated[str, msgspec.Meta(min_length=8, max_length=128)]


def _base64(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode("ascii")


def _sign(secret: bytes, body: str) -> str:
    return _base64(hmac.digest(secret, body.encode("ascii"), "sha256"))


class Tickets:
    """Makes tickets, and takes each once."""

    def __init__(self, secret: bytes, now: Callable[[], datetime]) -> None:
        """Sign with `secret` by the clock `now`."""
        self._secret = secret
        self._now = now
        self._used: OrderedDict[str, int] = OrderedDict()

    def make(self) -> str:
        """Return a fresh ticket."""
        claims = _Claims(int(self._now().timestamp()) + LIFE_S, secrets.token_urlsafe(12))
        body = _base64(msgspec.json.encode(claims))
        return f"{body}.{_sign(self._secret, body)}"

    def nonce_of(self, ticket: str) -> str | None:
        """Return the nonce of a ticket that is genuine, in time and unused, else None."""
        match = _TICKET.match(ticket)
        if match is None:
            return None
        body, signature = match.groups()
        if not hmac.compare_digest(_sign(self._secret, body), signature):
            return None
        try:
            claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=_Claims)
        except (msgspec.MsgspecError, ValueError):
            return None
        now = self._now().timestamp()
        # One that lives longer than any peer makes them was signed by a peer whose clock is wrong.
        if not now < claims.exp <= now + 2 * LIFE_S or claims.nonce in self._used:
            return None
        return claims.nonce

    def spend(self, nonce: str) -> None:
        """Remember that this ticket has been used."""
        self._used[nonce] = 1
        if len(self._used) > MOST_USED:
            self._used.popitem(last=False)
