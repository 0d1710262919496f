"""Who may: tokens with roles, kept hashed; one-time codes that a probe turns into its token.

A token is `hd_KEY_SECRET`. KEY finds the row, SECRET is compared with its digest in constant time. SHA-256 without
stretching is right here: the secret has 256 random bits, so there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from archive.store import Archive
from measurement.errors import ConfigError

CODE_LIFE = timedelta(days=7)
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")
_TOKEN = re.compile(r"^hd_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$")
# Spoken and typed by people: no 0, O, 1, I, L.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


class Role(StrEnum):
    """What a token opens. An admin may do what a reader may."""

    PROBE = "probe"
    READER = "reader"
    ADMIN = "admin"


class Identity(NamedTuple):
    """Who calls."""

    name: str
    role: Role


class TokenRow(NamedTuple):
    """A token as it may be shown: without its secret."""

    key: str
    name: str
    role: Role
    created_at: str
    revoked_at: str | None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_name(name: str) -> str:
    """Return a name that may stand as `probe_id`.

    Raises
    ------
    ConfigError
        Where it may not.
    """
    if not _NAME.match(name):
        raise ConfigError(f"Invalid name {name!r}. Up to 64 letters, digits and ._:- only.")
    return name


class Access:
    """The tokens of one archive. Revocation by another process counts within `fresh_s` seconds."""

    def __init__(self, archive: Archive) -> None:
        """Read tokens from `archive`, whose tables must have been prepared."""
        self._archive = archive
        self._static: list[tuple[bytes, Identity]] = []
        self._rows: dict[str, tuple[bytes, Identity]] = {}
        self._names: set[str] = set()
        self._version = ""
        self.refresh()

    def refresh(self) -> None:
        """Read the tokens again where this or another process has changed them."""
        version = self._archive.setting("tokens_version") or "0"
        if version == self._version:
            return
        self._version = version
        rows = self._archive.connection.execute("SELECT key, digest, name, role FROM tokens WHERE revoked_at IS NULL")
        self._rows = {key: (digest, Identity(name, Role(role))) for key, digest, name, role in rows}
        self._names = {identity.name for _, identity in self._rows.values()}

    def admit_file(self, lines: str) -> None:
        """Admit the tokens of a file, one `NAME ROLE TOKEN` a line.

        Raises
        ------
        ConfigError
            With the number of the bad line.
        """
        for number, line in enumerate(lines.splitlines(), start=1):
            fields = line.split("#")[0].split()
            if not fields:
                continue
            if len(fields) != 3 or fields[1] not in list(Role) or len(fields[2]) < 16:
                raise ConfigError(
                    f"Invalid token file line {number}. NAME ROLE TOKEN, the token of 16 letters or more."
                )
            self._static.append((_digest(fields[2]), Identity(check_name(fields[0]), Role(fields[1]))))

    def identify(self, token: str) -> Identity | None:
        """Return who holds this token, None where nobody does."""
        found: Identity | None = None
        match = _TOKEN.match(token)
        row = self._rows.get(match.group(1)) if match else None
        digest = _digest(match.group(2) if match else token)
        if row is not None and hmac.compare_digest(row[0], digest):
            found = row[1]
        for known, identity in self._static:
            if hmac.compare_digest(known, digest):
                found = identity
        return found

    def is_taken(self, name: str) -> bool:
        """Return whether a valid token bears this name."""
        return name in self._names or any(identity.name == name for _, identity in self._static)

    def add(self, name: str, role: Role) -> str:
        """Make a token; this is the only time its secret is seen."""
        check_name(name)
        with self._archive.transaction() as connection:
            token = _insert(connection, name, role)
        self.refresh()
        return token

    def code(self, name: str) -> str:
        """Make a one-time code with which a probe named `name` may fetch its token."""
        check_name(name)
        letters = [secrets.choice(_ALPHABET) for _ in range(16)]
        code = "-".join("".join(letters[i : i + 4]) for i in range(0, 16, 4))
        expires = (datetime.now(UTC) + CODE_LIFE).isoformat(timespec="seconds")
        with self._archive.transaction() as connection:
            connection.execute("INSERT INTO codes VALUES (?, ?, ?, NULL)", (_digest(_plain(code)), name, expires))
        return code

    def enrol(self, code: str) -> tuple[str, str] | None:
        """Turn a code into name and token, once; None where it is unknown, used or too old."""
        digest = _digest(_plain(code))
        with self._archive.transaction() as connection:
            row = connection.execute(
                "UPDATE codes SET used_at = ? WHERE digest = ? AND used_at IS NULL AND expires_at > ? RETURNING name",
                (_now(), digest, _now()),
            ).fetchall()
            if not row:
                return None
            name = str(row[0][0])
            # A probe enrolled anew holds one token: the old one is no longer in anybody's hands.
            _revoke(connection, name, Role.PROBE)
            token = _insert(connection, name, Role.PROBE)
            connection.execute(
                "INSERT INTO probes (probe_id, enrolled_at) VALUES (?, ?)"
                " ON CONFLICT (probe_id) DO UPDATE SET enrolled_at = excluded.enrolled_at",
                (name, _now()),
            )
        self.refresh()
        return name, token

    def revoke(self, name: str) -> int:
        """Revoke every token of a name and its unused codes; return how many tokens."""
        with self._archive.transaction() as connection:
            count = _revoke(connection, name, None)
            connection.execute("UPDATE codes SET used_at = ? WHERE name = ? AND used_at IS NULL", (_now(), name))
        self.refresh()
        return count

    def rows(self) -> list[TokenRow]:
        """Return every token without its secret, newest first."""
        found = self._archive.connection.execute(
            "SELECT key, name, role, created_at, revoked_at FROM tokens ORDER BY created_at DESC, key"
        )
        return [TokenRow(key, name, Role(role), created, revoked) for key, name, role, created, revoked in found]


def _plain(code: str) -> str:
    return code.upper().replace("-", "").replace(" ", "")


def _insert(connection: sqlite3.Connection, name: str, role: Role) -> str:
    _changed(connection)
    key, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, NULL)", (key, name, role.value, _digest(secret), _now())
    )
    return f"hd_{key}_{secret}"


def _changed(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT OR REPLACE INTO settings VALUES ('tokens_version', ?)", (secrets.token_hex(8),))


def _revoke(connection: sqlite3.Connection, name: str, role: Role | None) -> int:
    _changed(connection)
    return connection.execute(
        "UPDATE tokens SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL AND (? IS NULL OR role = ?)",
        (_now(), name, role, role),
    ).rowcount
