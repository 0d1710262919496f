"""Tickets for browsers: a peer that ran a test signs one, and the collector takes one record for it.

A ticket is `NONCE.EXPIRES.SIGNATURE`: 16 random bytes and the Unix second of expiry, signed with HMAC-SHA-256 under a
secret that peer and collector share (a file of mode 0600). Only Python's standard library is needed on either side:

    signature = hmac.new(secret, f"{nonce}.{expires}".encode(), "sha256").hexdigest()
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from measurement.errors import ConfigError

LIFE_S = 600
MOST_USED = 100_000
_TICKET = re.compile(r"^([0-9a-f]{32})\.([0-9]{10})\.([0-9a-f]{64})$")
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


def _sign(secret: bytes, nonce: str, expires: str) -> str:
    return hmac.new(secret, f"{nonce}.{expires}".encode(), "sha256").hexdigest()


class Tickets:
    """Makes tickets, and takes each once."""

    def __init__(self, secret: bytes, now: Callable[[], datetime]) -> None:
        """Sign with `secret` by the clock `now`."""
        self._secret = secret
        self._now = now
        self._used: OrderedDict[str, int] = OrderedDict()

    def make(self) -> str:
        """Return a fresh ticket."""
        nonce, expires = secrets.token_hex(16), str(int(self._now().timestamp()) + LIFE_S)
        return f"{nonce}.{expires}.{_sign(self._secret, nonce, expires)}"

    def nonce_of(self, ticket: str) -> str | None:
        """Return the nonce of a ticket that is genuine, in time and unused, else None."""
        match = _TICKET.match(ticket)
        if match is None:
            return None
        nonce, expires, signature = match.groups()
        if not hmac.compare_digest(_sign(self._secret, nonce, expires), signature):
            return None
        now = self._now().timestamp()
        # One that lives longer than any peer makes them was signed by a peer whose clock is wrong.
        if not now < int(expires) <= now + 2 * LIFE_S or nonce in self._used:
            return None
        return nonce

    def spend(self, nonce: str) -> None:
        """Remember that this ticket has been used."""
        self._used[nonce] = 1
        if len(self._used) > MOST_USED:
            self._used.popitem(last=False)
