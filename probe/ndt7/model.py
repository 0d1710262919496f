"""The measurement message of ndt7. Names are the protocol's; unknown fields are ignored, missing ones are no error."""

from __future__ import annotations

import msgspec

TEXT_MOST_BYTES = 65_536


class AppInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """Bytes of payload and microseconds since the test began."""

    elapsed_time: int
    num_bytes: int


class ConnectionInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """The two ends as the server sees them."""

    client: str
    server: str
    uuid: str | None = msgspec.field(default=None, name="UUID")
    start_time: str | None = None


class TCPInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the sender's kernel knows: microseconds and bytes at the level of TCP."""

    BusyTime: int | None = None
    BytesAcked: int | None = None
    BytesReceived: int | None = None
    BytesSent: int | None = None
    BytesRetrans: int | None = None
    ElapsedTime: int | None = None
    MinRTT: int | None = None
    RTT: int | None = None
    RTTVar: int | None = None
    RWndLimited: int | None = None
    SndBufLimited: int | None = None


class Measurement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One textual message."""

    AppInfo: AppInfo | None = None
    ConnectionInfo: ConnectionInfo | None = None
    Origin: str | None = None
    Test: str | None = None
    TCPInfo: TCPInfo | None = None


_decoder = msgspec.json.Decoder(Measurement, strict=False)
_encoder = msgspec.json.Encoder()


def encode(measurement: Measurement) -> bytes:
    """Encode a message."""
    return _encoder.encode(measurement)


def decode(text: bytes) -> Measurement | None:
    """Decode a message; `None` where it is none, which is no reason to fail a test."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
