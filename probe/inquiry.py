"""Ask a peer what it is: `GET /v1/peer`. What it says is bounded and checked before it goes into a record."""

from __future__ import annotations

import time
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from measurement.record import Access
from measurement.vocabulary import Failure, Operation
from probe.failures import NetworkFailure
from probe.target import Target
from probe.throughput.connect import connect, exchange


class PeerSaid(msgspec.Struct, frozen=True):
    """The answer; unknown members are ignored, so that newer peers may say more."""

    name: Annotated[str, Meta(max_length=200)] | None = None
    version: Annotated[str, Meta(max_length=200)] | None = None
    site: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    asn: Annotated[int, Meta(ge=1, le=2**32 - 1)] | None = None
    is_domestic: bool | None = None
    stamp_port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    methods: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=64)] = []


class PeerAnswer(NamedTuple):
    """What a peer said, and how long it took to reach it."""

    access: Access
    stamp_port: int | None
    site: str | None
    asn: int | None
    is_domestic: bool | None
    methods: tuple[str, ...]


def inquire(target: Target, timeout_s: float) -> PeerAnswer:
    """Ask a peer.

    Raises
    ------
    NetworkFailure
        Where it does not answer as a peer does.
    """
    opened = connect(target, timeout_s)
    try:
        started = time.monotonic()
        said = _said(exchange(opened.socket, target, "GET", "/v1/peer", timeout_s))
        first_byte_ms = (time.monotonic() - started) * 1000
    except NetworkFailure as failure:
        failure.access = Access(connect_ms=opened.connect_ms, tls_ms=opened.tls_ms)
        raise
    finally:
        opened.socket.close()
    access = Access(connect_ms=opened.connect_ms, tls_ms=opened.tls_ms, first_byte_ms=first_byte_ms)
    return PeerAnswer(access, said.stamp_port, said.site, said.asn, said.is_domestic, tuple(said.methods))


def _said(answer: dict[str, Any]) -> PeerSaid:
    try:
        return msgspec.convert(answer, PeerSaid)
    except msgspec.ValidationError as error:
        raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, f"No peer's answer: {error}.") from None
