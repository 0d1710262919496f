"""Open a connection to a peer: connect, TLS, one request and the head of its answer, each step timed and bounded."""

from __future__ import annotations

import json
import socket
import ssl
import time
from typing import Any, NamedTuple

import h11

from measurement.errors import ConfigError
from measurement.vocabulary import Failure, Operation
from probe.failures import NetworkFailure, as_network_failure
from probe.target import Target
from probe.version import AGENT

BODY_BYTES = 65_536
"""Largest body of an answer that is read as a whole."""
BUSY = (204, 429, 503)
"""Answers by which a peer says that it cannot test now."""


class Opened(NamedTuple):
    """A connection and what its opening took."""

    socket: socket.socket
    connect_ms: float
    tls_ms: float | None


class Head(NamedTuple):
    """The head of an answer and what was read beyond it."""

    status: int
    headers: dict[str, str]
    ahead: bytes


def tls_context(target: Target) -> ssl.SSLContext:
    """Return a verifying context for a target.

    Raises
    ------
    ConfigError
        Where the file of authorities cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=target.authority)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{target.authority}: Invalid certificates. {error}.") from None


def connect(target: Target, timeout_s: float) -> Opened:
    """Connect, with TLS where the target has it; at most `timeout_s` for each step.

    Raises
    ------
    NetworkFailure
        With the operation that failed.
    """
    started = time.monotonic()
    try:
        sock = socket.create_connection(target.socket_address, timeout_s)
    except OSError as error:
        raise as_network_failure(error, Operation.CONNECT) from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected = time.monotonic()
    if not target.is_tls:
        return Opened(sock, (connected - started) * 1000, None)
    try:
        secured = tls_context(target).wrap_socket(sock, server_hostname=target.host)
    except (OSError, ValueError) as error:
        sock.close()
        raise as_network_failure(error, Operation.TLS_HANDSHAKE) from None
    return Opened(secured, (connected - started) * 1000, (time.monotonic() - connected) * 1000)


def send_head(sock: socket.socket, target: Target, verb: str, path: str, length: int | None = None) -> None:
    """Write a request's head."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    lines = [f"{verb} {target.path}{path} HTTP/1.1", f"Host: {host}:{target.port}", f"User-Agent: {AGENT}"]
    if length is not None:
        lines += [f"Content-Length: {length}", "Content-Type: application/octet-stream"]
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def read_head(sock: socket.socket, deadline: float) -> Head:
    """Read an answer's head before `deadline` on the monotonic clock.

    Raises
    ------
    NetworkFailure
        Where it does not come, or is no HTTP.
    """
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=16_384)
    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "peer")]))
    parser.send(h11.EndOfMessage())
    try:
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Response):
                headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
                return Head(event.status_code, headers, parser.trailing_data[0])
            if isinstance(event, h11.ConnectionClosed):
                raise NetworkFailure(Failure.EOF_ERROR, Operation.TRANSFER, "The peer closed before it answered.")
            if event is h11.NEED_DATA:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                sock.settimeout(left)
                data = sock.recv(4096)
                if not data:
                    raise NetworkFailure(Failure.EOF_ERROR, Operation.TRANSFER, "The peer closed before it answered.")
                parser.receive_data(data)
    except h11.ProtocolError as error:
        raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, str(error)) from None
    except OSError as error:
        raise as_network_failure(error, Operation.TRANSFER) from None


def check_status(head: Head) -> None:
    """Turn an answer other than 200 or 201 into a failure.

    Raises
    ------
    NetworkFailure
        `server_busy` where the peer asks to come back, `http_request_failed` else.
    """
    if head.status in BUSY:
        after = head.headers.get("retry-after", "")
        said = f"The peer is busy; come back in {after} s." if after.isdigit() else "The peer is busy."
        raise NetworkFailure(Failure.SERVER_BUSY, Operation.TRANSFER, said)
    if head.status not in (200, 201):
        raise NetworkFailure(Failure.HTTP_REQUEST_FAILED, Operation.TRANSFER, f"The peer answered {head.status}.")


def exchange(sock: socket.socket, target: Target, verb: str, path: str, timeout_s: float) -> dict[str, Any]:
    """Send a request without a body and read its JSON answer.

    Raises
    ------
    NetworkFailure
        Where anything but a small JSON object comes back in time.
    """
    deadline = time.monotonic() + timeout_s
    try:
        sock.settimeout(timeout_s)
        send_head(sock, target, verb, path, 0 if verb == "POST" else None)
        head = read_head(sock, deadline)
        check_status(head)
        length = int(head.headers.get("content-length", "-1"))
        if not 0 <= length <= BODY_BYTES:
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The answer has no small length.")
        body = head.ahead
        while len(body) < length:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            data = sock.recv(length - len(body))
            if not data:
                raise NetworkFailure(Failure.EOF_ERROR, Operation.TRANSFER, "The answer ended early.")
            body += data
        answer = json.loads(body[:length])
    except OSError as error:
        raise as_network_failure(error, Operation.TRANSFER) from None
    except (ValueError, RecursionError):
        raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The answer is no JSON.") from None
    if not isinstance(answer, dict):
        raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The answer is no JSON object.")
    return answer
