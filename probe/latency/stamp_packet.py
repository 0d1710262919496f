"""STAMP's packets on the wire (RFC 8762, 4.2 and 4.3; the session id is RFC 8972, 3)."""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import NamedTuple

PORT = 862
OPEN_SIZE = 44
SEALED_SIZE = 112
HMAC_SIZE = 16
HMAC_COVERS = 96
"""HMAC-SHA-256, cut to 128 bits, over the first six blocks of 16 octets (RFC 8762, 4.4)."""

NTP_OF_UNIX = 2_208_988_800
"""Seconds from 1900 to 1970."""

ERROR_ESTIMATE = 0x1601
"""Clock not known to be synchronised, NTP format, 1 × 2^22 × 2^-32 s: about one millisecond (RFC 4656, 4.1.2)."""

SHORTEST_KEY = 16

_OPEN_REQUEST = struct.Struct("!IQHH28x")
_OPEN_REPLY = struct.Struct("!IQHHQIQHxxB3x")
_SEALED_REQUEST = struct.Struct("!I12xQHH68x")
_SEALED_REPLY = struct.Struct("!I12xQHH4xQ8xI12xQH6xB15x")


class Request(NamedTuple):
    """A sender's packet; times are NTP, 64 bits."""

    sequence: int
    sent: int
    error: int
    session: int


class Reply(NamedTuple):
    """A reflector's packet; times are NTP, 64 bits."""

    sequence: int
    replied: int
    error: int
    session: int
    received: int
    sender_sequence: int
    sender_sent: int
    sender_error: int
    ttl: int


def ntp_of_ns(unix_ns: int) -> int:
    """Turn nanoseconds since 1970 into an NTP timestamp, 32 bits of seconds and 32 of fraction.

    Examples
    --------
    >>> hex(ntp_of_ns(500_000_000))
    '0x83aa7e8080000000'
    """
    seconds, ns = divmod(unix_ns, 1_000_000_000)
    return ((seconds + NTP_OF_UNIX) & 0xFFFFFFFF) << 32 | (ns << 32) // 1_000_000_000


def ns_between(earlier: int, later: int) -> int:
    """Return the nanoseconds from one NTP timestamp to another; right across the wrap of 2036.

    Examples
    --------
    >>> ns_between(ntp_of_ns(1_000_000_000), ntp_of_ns(1_250_000_000))
    250000000
    """
    difference = (later - earlier) & 0xFFFFFFFFFFFFFFFF
    if difference >> 63:
        difference -= 1 << 64
    return (difference * 1_000_000_000) >> 32


def seal(body: bytes, key: bytes) -> bytes:
    """Return the HMAC of a packet's first 96 octets."""
    return hmac.digest(key, body[:HMAC_COVERS], hashlib.sha256)[:HMAC_SIZE]


def _is_sealed(packet: bytes, key: bytes) -> bool:
    return hmac.compare_digest(seal(packet, key), packet[HMAC_COVERS:SEALED_SIZE])


def pack_request(request: Request, key: bytes | None = None, size: int = OPEN_SIZE) -> bytes:
    """Compose a sender's packet, padded with zeros to `size`."""
    if key is None:
        return _OPEN_REQUEST.pack(*request).ljust(size, b"\0")
    body = _SEALED_REQUEST.pack(*request)
    return (body + seal(body, key)).ljust(size, b"\0")


def unpack_request(packet: bytes, key: bytes | None = None) -> Request | None:
    """Read a sender's packet; `None` where it is too short or its HMAC is wrong."""
    if len(packet) < (OPEN_SIZE if key is None else SEALED_SIZE):
        return None
    if key is None:
        return Request._make(_OPEN_REQUEST.unpack_from(packet))
    return Request._make(_SEALED_REQUEST.unpack_from(packet)) if _is_sealed(packet, key) else None


def pack_reply(reply: Reply, key: bytes | None, request: bytes) -> bytes:
    """Compose a reflector's packet, as long as the request; what follows the base packet comes back as it was."""
    if key is None:
        return _OPEN_REPLY.pack(*reply) + request[OPEN_SIZE:]
    body = _SEALED_REPLY.pack(*reply)
    return body + seal(body, key) + request[SEALED_SIZE:]


def unpack_reply(packet: bytes, key: bytes | None = None) -> Reply | None:
    """Read a reflector's packet; `None` where it is too short or its HMAC is wrong."""
    if len(packet) < (OPEN_SIZE if key is None else SEALED_SIZE):
        return None
    if key is None:
        return Reply._make(_OPEN_REPLY.unpack_from(packet))
    return Reply._make(_SEALED_REPLY.unpack_from(packet)) if _is_sealed(packet, key) else None
