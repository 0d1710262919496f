"""The packet of RFC 8762, octet by octet: figures 2, 4, 5 and 7, and the HMAC of 4.4."""

import hashlib
import hmac
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.latency import stamp_packet
from probe.latency.stamp_packet import (
    Reply,
    Request,
    ns_between,
    ntp_of_ns,
    pack_reply,
    pack_request,
    unpack_reply,
    unpack_request,
)

KEY = bytes(range(32))
REQUEST = Request(sequence=0x01020304, sent=0x1112131415161718, error=0x2122, session=0x3132)
REPLY = Reply(
    sequence=0x41424344,
    replied=0x5152535455565758,
    error=0x6162,
    session=0x3132,
    received=0x7172737475767778,
    sender_sequence=0x01020304,
    sender_sent=0x1112131415161718,
    sender_error=0x2122,
    ttl=0xF0,
)


def test_unauthenticated_request_is_figure_2() -> None:
    packet = pack_request(REQUEST)
    assert packet == bytes.fromhex("01020304 1112131415161718 2122 3132") + bytes(28)
    assert len(packet) == 44


def test_authenticated_request_is_figure_4() -> None:
    packet = pack_request(REQUEST, KEY)
    body = bytes.fromhex("01020304") + bytes(12) + bytes.fromhex("1112131415161718 2122 3132") + bytes(68)
    assert len(body) == 96
    assert packet == body + hmac.new(KEY, body, hashlib.sha256).digest()[:16]


def test_unauthenticated_reply_is_figure_5() -> None:
    packet = pack_reply(REPLY, None, bytes(44))
    assert packet == bytes.fromhex(
        "41424344 5152535455565758 6162 3132 7172737475767778 01020304 1112131415161718 2122 0000 f0 000000"
    )
    assert len(packet) == 44


def test_authenticated_reply_is_figure_7() -> None:
    packet = pack_reply(REPLY, KEY, bytes(112))
    at = {0: "41424344", 16: "5152535455565758", 24: "6162", 26: "3132", 32: "7172737475767778", 48: "01020304"}
    at |= {64: "1112131415161718", 72: "2122", 80: "f0"}
    body = bytearray(96)
    for offset, text in at.items():
        body[offset : offset + len(text) // 2] = bytes.fromhex(text)
    assert packet == bytes(body) + hmac.new(KEY, bytes(body), hashlib.sha256).digest()[:16]


def test_known_hmac() -> None:
    # RFC 4231, test case 2, extended to a packet: the digest must be HMAC-SHA-256 cut to its first 16 octets.
    assert stamp_packet.seal(b"what do ya want for nothing?", b"Jefe").hex() == "5bdcc146bf60754e6a042426089575c7"


@pytest.mark.parametrize("key", [None, KEY])
def test_packets_read_back(key: bytes | None) -> None:
    request = pack_request(REQUEST, key, size=200)
    assert len(request) == 200
    assert unpack_request(request, key) == REQUEST
    reply = pack_reply(REPLY, key, request)
    assert len(reply) == len(request)
    assert unpack_reply(reply, key) == REPLY


@pytest.mark.parametrize("offset", [0, 5, 16, 40, 95, 96, 111])
def test_a_changed_octet_breaks_the_seal(offset: int) -> None:
    packet = bytearray(pack_request(REQUEST, KEY))
    packet[offset] ^= 1
    assert unpack_request(bytes(packet), KEY) is None
    assert unpack_request(pack_request(REQUEST, KEY), KEY[:-1] + b"x") is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_never_raised(data: bytes) -> None:
    for key in (None, KEY):
        assert (unpack_request(data, key) is None) or key is None
        assert (unpack_reply(data, key) is None) or key is None
    assert (unpack_request(data) is None) == (len(data) < 44)


@given(st.integers(0, 2**62), st.integers(-(10**12), 10**12))
def test_ntp_keeps_differences(start: int, step: int) -> None:
    start = max(start, 10**12)
    assert abs(ns_between(ntp_of_ns(start), ntp_of_ns(start + step)) - step) <= 1


def test_ntp_crosses_2036() -> None:
    turn = (2**32 - stamp_packet.NTP_OF_UNIX) * 10**9
    assert ntp_of_ns(turn) == 0
    assert ns_between(ntp_of_ns(turn - 10**9), ntp_of_ns(turn + 10**9)) == 2 * 10**9


def test_foreign_layout_by_offsets() -> None:
    """Another implementation's reading of our request: plain offsets, as a TWAMP Light reflector would."""
    packet = pack_request(Request(7, 0x83AA7E8000000000, 0x8001, 0))
    assert struct.unpack_from("!I", packet, 0) == (7,)
    assert struct.unpack_from("!II", packet, 4) == (2_208_988_800, 0)
    assert packet[14:] == bytes(30)
