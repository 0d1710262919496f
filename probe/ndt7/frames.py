"""WebSocket frames (RFC 6455, 5.2) for bulk: payloads that are only counted are never copied, unmasked or kept."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import sys
from enum import IntEnum
from typing import NamedTuple

from probe.ndt7.spec import MESSAGE_MOST_BYTES

HEAD_MOST_BYTES = 14
PIECE_BYTES = 1 << 20
CONTROL_MOST_BYTES = 125
KEPT_MOST_BYTES = 65_536
"""A text longer than this is no measurement: it is read and forgotten."""


class Opcode(IntEnum):
    """What a frame carries."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Close(IntEnum):
    """Why a connection is closed (RFC 6455, 7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED = 1003
    TOO_BIG = 1009


class FrameError(Exception):
    """The other end breaks the rules; `code` is what to close with."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Message(NamedTuple):
    """A whole text, ping, pong or close; of a binary message only that it is complete (`size_bytes`)."""

    opcode: Opcode
    payload: bytes
    size_bytes: int


def head(opcode: Opcode, length: int, mask: bytes = b"") -> bytes:
    """Compose the head of a final frame.

    Examples
    --------
    >>> head(Opcode.BINARY, 1 << 16).hex()
    '827f0000000000010000'
    """
    masked = 0x80 if mask else 0
    if length < 126:
        return struct.pack("!BB", 0x80 | opcode, masked | length) + mask
    if length < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, masked | 126, length) + mask
    return struct.pack("!BBQ", 0x80 | opcode, masked | 127, length) + mask


def masked(payload: bytes, mask: bytes) -> bytes:
    """Mask a small payload, or take its mask off.

    Examples
    --------
    >>> masked(masked(b'xin chao', b'abcd'), b'abcd')
    b'xin chao'
    """
    pad = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(pad)).to_bytes(len(payload))


def frame(opcode: Opcode, payload: bytes, is_client: bool) -> bytes:
    """Compose a small frame; a client's is masked with a fresh key."""
    if not is_client:
        return head(opcode, len(payload)) + payload
    mask = os.urandom(4)
    return head(opcode, len(payload), mask) + masked(payload, mask)


def close(code: Close, is_client: bool) -> bytes:
    """Compose a close frame."""
    return frame(Opcode.CLOSE, struct.pack("!H", code), is_client)


class _Head(NamedTuple):
    is_final: bool
    opcode: Opcode
    mask: bytes
    length: int
    size: int


def parse_head(data: bytes) -> _Head | None:
    """Read a frame's head; `None` where it is not all there.

    Raises
    ------
    FrameError
        Where it breaks RFC 6455 or is larger than ndt7 allows.
    """
    if len(data) < 2:
        return None
    first, second = data[0], data[1]
    if first & 0x70:
        raise FrameError(Close.PROTOCOL_ERROR, "Invalid reserved bits. No extension was agreed.")
    try:
        opcode = Opcode(first & 0x0F)
    except ValueError:
        raise FrameError(Close.PROTOCOL_ERROR, f"Invalid opcode {first & 0x0F}.") from None
    wide = {126: 2, 127: 8}.get(second & 0x7F, 0)
    size = 2 + wide + (4 if second & 0x80 else 0)
    if len(data) < size:
        return None
    length = int.from_bytes(data[2 : 2 + wide]) if wide else second & 0x7F
    if opcode >= Opcode.CLOSE and (length > CONTROL_MOST_BYTES or not first & 0x80):
        raise FrameError(Close.PROTOCOL_ERROR, "Invalid control frame. One frame of at most 125 bytes.")
    if length > MESSAGE_MOST_BYTES:
        raise FrameError(Close.TOO_BIG, f"Invalid message of {length} bytes. At most {MESSAGE_MOST_BYTES}.")
    return _Head(bool(first & 0x80), opcode, data[2 + wide : size], length, size)


class Reader:
    """Read frames from a socket, one read a step. `bulk_bytes` counts binary payload as it arrives."""

    def __init__(self, sock: socket.socket, ahead: bytes = b"", *, from_client: bool) -> None:
        self.bulk_bytes = 0
        self._socket, self._ahead, self._from_client = sock, ahead, from_client
        self._head: _Head | None = None
        self._left = 0
        self._part = bytearray()
        self._text = bytearray()
        self._message: Opcode | None = None
        self._message_bytes = 0
        self._scratch = bytearray(PIECE_BYTES)
        # The kernel drops what is only counted. TLS must be decrypted, so there it is copied.
        can_drop = sys.platform.startswith("linux") and not isinstance(sock, ssl.SSLSocket)
        self._flags = (socket.MSG_TRUNC,) if can_drop else ()

    def step(self) -> Message | None:
        """Read once; return the message that this completed. Call it until it raises: some may be read ahead.

        Raises
        ------
        EOFError
            Where the other end closed the connection.
        FrameError
            Where it breaks the rules.
        OSError
            From the socket, time limits included; a later step goes on where this one stopped.
        """
        if self._head is None:
            self._begin()
        if self._head is None:
            self._ahead += self._receive(HEAD_MOST_BYTES - len(self._ahead))
            self._begin()
        return None if self._head is None else self._payload(self._head)

    def _receive(self, most: int) -> bytes:
        data = self._socket.recv(most)
        if not data:
            raise EOFError("The connection was closed.")
        return data

    def _begin(self) -> None:
        """Take a frame's head off what was read ahead, if it is all there."""
        found = parse_head(self._ahead)
        if found is None:
            return
        if bool(found.mask) != self._from_client:
            raise FrameError(Close.PROTOCOL_ERROR, "Invalid mask. Clients mask, servers do not.")
        if found.opcode < Opcode.CLOSE:
            self._join(found)
        self._ahead = self._ahead[found.size :]
        self._head, self._left = found, found.length
        self._part.clear()

    def _join(self, found: _Head) -> None:
        """Note to which message a data frame belongs."""
        if (found.opcode is Opcode.CONTINUATION) != (self._message is not None):
            raise FrameError(Close.PROTOCOL_ERROR, "Invalid continuation. A message is begun once and then continued.")
        if self._message is None:
            self._message, self._message_bytes = found.opcode, 0
            self._text.clear()
        self._message_bytes += found.length
        if self._message_bytes > MESSAGE_MOST_BYTES:
            raise FrameError(Close.TOO_BIG, f"Invalid message. At most {MESSAGE_MOST_BYTES} bytes.")

    def _payload(self, here: _Head) -> Message | None:
        if self._left:
            is_bulk = here.opcode < Opcode.CLOSE and self._message is Opcode.BINARY
            self._left -= self._drop() if is_bulk else self._keep()
        if self._left:
            return None
        self._head = None
        payload = masked(bytes(self._part), here.mask) if here.mask else bytes(self._part)
        if here.opcode >= Opcode.CLOSE:
            return Message(here.opcode, payload, here.length)
        if len(self._text) < KEPT_MOST_BYTES:
            self._text += payload
        if not here.is_final or self._message is None:
            return None
        opcode, self._message = self._message, None
        return Message(opcode, bytes(self._text), self._message_bytes)

    def _drop(self) -> int:
        """Count a piece of a binary message; `bulk_bytes` grows by it."""
        if self._ahead:
            count = min(len(self._ahead), self._left)
            self._ahead = self._ahead[count:]
        else:
            count = self._socket.recv_into(self._scratch, min(self._left, PIECE_BYTES), *self._flags)
            if not count:
                raise EOFError("The connection was closed.")
        self.bulk_bytes += count
        return count

    def _keep(self) -> int:
        """Keep a piece of a small message; of one that is too long, its first part."""
        if self._ahead:
            data, self._ahead = self._ahead[: self._left], self._ahead[self._left :]
        else:
            data = self._receive(min(self._left, KEPT_MOST_BYTES))
        if len(self._part) < KEPT_MOST_BYTES:
            self._part += data
        return len(data)
