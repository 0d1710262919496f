"""The WebSocket handshake (RFC 6455, 4), by the library `websockets`; the frames after it are `frames`."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import WebSocketException
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from measurement.vocabulary import Failure, Operation
from probe.failures import NetworkFailure
from probe.ndt7.spec import SUBPROTOCOL

HEAD_MOST_BYTES = 16_384
_SUBPROTOCOLS = [Subprotocol(SUBPROTOCOL)]
_FAILURES = {HTTPStatus.TOO_MANY_REQUESTS: Failure.SERVER_BUSY, HTTPStatus.SERVICE_UNAVAILABLE: Failure.SERVER_BUSY}


class Answer(NamedTuple):
    """What the server answers: the bytes of the head, and whether the connection is a WebSocket now."""

    data: bytes
    is_open: bool


def accept(target: str, headers: Mapping[str, str]) -> Answer:
    """Answer a client's request to upgrade; other subprotocols than ndt7's are refused with 4xx."""
    protocol = ServerProtocol(subprotocols=_SUBPROTOCOLS)
    response = protocol.accept(Request(target, Headers(list(headers.items()))))
    return Answer(response.serialize(), response.status_code == HTTPStatus.SWITCHING_PROTOCOLS)


def connect(sock: socket.socket, url: str, user_agent: str) -> bytes:
    """Upgrade a connected socket; return what the server sent beyond its answer.

    Raises
    ------
    NetworkFailure
        Where the server does not speak ndt7, or has no place.
    OSError
        From the socket.
    """
    protocol = ClientProtocol(parse_uri(url), subprotocols=_SUBPROTOCOLS)
    request = protocol.connect()
    request.headers["User-Agent"] = user_agent
    protocol.send_request(request)
    sock.sendall(b"".join(protocol.data_to_send()))
    head, ahead = _read_head(sock)
    protocol.receive_data(head)
    answer = next((event for event in protocol.events_received() if isinstance(event, Response)), None)
    if answer is not None and answer.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        failure = _FAILURES.get(HTTPStatus(answer.status_code), Failure.HTTP_REQUEST_FAILED)
        raise NetworkFailure(failure, Operation.TRANSFER, f"The server answered {answer.status_code}.")
    broken = protocol.handshake_exc
    if answer is None or broken is not None or protocol.subprotocol != SUBPROTOCOL:
        reason = str(broken) if isinstance(broken, WebSocketException) else "The server does not speak ndt7."
        raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, reason)
    return ahead


def _read_head(sock: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(4096)
        if not piece:
            raise NetworkFailure(Failure.EOF_ERROR, Operation.TRANSFER, "The server closed during the handshake.")
        data += piece
        if len(data) > HEAD_MOST_BYTES:
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The server's answer is too long.")
    cut = data.index(b"\r\n\r\n") + 4
    return data[:cut], data[cut:]
