"""Where a test goes: a peer's URL, resolved once, so that every phase of a cycle meets the same machine."""

from __future__ import annotations

import socket
import threading
from typing import NamedTuple
from urllib.parse import urlsplit

from measurement.errors import ConfigError
from measurement.vocabulary import Operation
from probe.failures import as_network_failure

PORTS = {"http": 80, "https": 443}


class Target(NamedTuple):
    """A peer. `address` is empty until resolved; `authority` is a file of certificates to trust, not the system's."""

    scheme: str
    host: str
    port: int
    path: str = ""
    address: str = ""
    ip_version: int = 4
    authority: str | None = None

    @property
    def is_tls(self) -> bool:
        """Is the connection encrypted?"""
        return self.scheme == "https"

    @property
    def url(self) -> str:
        """The URL of the peer, without a path's last slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def socket_address(self) -> tuple[str, int]:
        """Where sockets connect to."""
        return (self.address or self.host, self.port)


def parse(url: str, authority: str | None = None) -> Target:
    """Read a URL.

    Raises
    ------
    ConfigError
        Where it is none of a peer.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"Invalid peer {url!r}. {error}.") from None
    if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.username is not None:
        raise ConfigError(f"Invalid peer {url!r}. http://HOST:PORT or https://HOST:PORT.")
    if port == 0:
        raise ConfigError(f"Invalid peer {url!r}. A port is 1 to 65535.")
    return Target(
        parts.scheme, parts.hostname, port or PORTS[parts.scheme], parts.path.rstrip("/"), authority=authority
    )


def addresses(target: Target, timeout_s: float = 10.0) -> list[Target]:
    """Resolve the name, for at most `timeout_s`: the system's resolver may take half a minute to give up.

    Returns the target once for each address, in the system's order (RFC 6724).

    Raises
    ------
    NetworkFailure
        Where there is no answer.
    """
    outcome: list[list[Target] | Exception] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            outcome.append(error)
            return
        versions = {str(row[4][0]): 6 if row[0] == socket.AF_INET6 else 4 for row in found}
        outcome.append([target._replace(address=one, ip_version=version) for one, version in versions.items()])

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(timeout_s)
    said = outcome[0] if outcome else TimeoutError("The resolver did not answer in time.")
    if isinstance(said, Exception):
        raise as_network_failure(said, Operation.RESOLVE) from None
    return said


def reachable(candidates: list[Target], timeout_s: float = 2.0) -> Target:
    """Return the first address that accepts a connection, the very first where none does.

    Many mobile networks hand out IPv6 that leads nowhere; a single address is not tried beforehand.
    """
    for candidate in candidates if len(candidates) > 1 else ():
        try:
            socket.create_connection(candidate.socket_address, timeout_s).close()
        except OSError:
            continue
        return candidate
    return candidates[0]


def resolve(target: Target, timeout_s: float = 10.0) -> Target:
    """Resolve the name once and settle on one address.

    Raises
    ------
    NetworkFailure
        Where there is no answer.
    """
    return reachable(addresses(target, timeout_s))
