"""The steps before a transfer, each timed: name, connection, TLS, first byte. A step that fails is named."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from measurement.record import Access
from measurement.vocabulary import Operation
from probe.failures import NetworkFailure, as_network_failure
from probe.target import Target


class Accessed(NamedTuple):
    """The times of the steps that were done, and the failure that ended them, if any."""

    access: Access
    failure: NetworkFailure | None


class _Steps:
    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, field: str, operation: Operation) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except (OSError, EOFError, UnicodeError) as error:
            raise as_network_failure(error, operation) from None
        self.times[field] = (time.perf_counter() - started) * 1000


def resolve_ms(host: str) -> float:
    """Time the resolution of a name by the system's resolver.

    Raises
    ------
    OSError
        Where the name has no address.
    """
    started = time.perf_counter()
    socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return (time.perf_counter() - started) * 1000


def measure(target: Target, path: str = "/", timeout_s: float = 5.0) -> Accessed:
    """Open a page's first byte step by step on a connection of its own; never longer than four timeouts."""
    steps, failure = _Steps(), None
    with contextlib.ExitStack() as stack:
        try:
            _walk(steps, stack, target, path, timeout_s)
        except NetworkFailure as error:
            failure = error
    return Accessed(msgspec.convert(steps.times, Access), failure)


def _walk(steps: _Steps, stack: contextlib.ExitStack, target: Target, path: str, timeout_s: float) -> None:
    with steps.step("resolve_ms", Operation.RESOLVE):
        family, _, _, _, address = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)[0]
    sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
    sock.settimeout(timeout_s)
    with steps.step("connect_ms", Operation.CONNECT):
        sock.connect(address)
    if target.is_tls:
        context = ssl.create_default_context(cafile=target.authority)
        with steps.step("tls_ms", Operation.TLS_HANDSHAKE):
            sock = stack.enter_context(context.wrap_socket(sock, server_hostname=target.host))
    host = f"[{target.host}]" if ":" in target.host else target.host
    head = f"GET {target.path}{path} HTTP/1.1\r\nHost: {host}:{target.port}\r\nConnection: close\r\n\r\n"
    with steps.step("first_byte_ms", Operation.TRANSFER):
        sock.sendall(head.encode("ascii", "replace"))
        if not sock.recv(1):
            raise EOFError("The other end closed before its first byte.")
