"""The table that says what held a rate down. The first row that applies counts; the order is that of certainty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from measurement.vocabulary import LimitedBy, StopReason
from probe.limits.cpu import CpuUse

HEADERS = 1.08
"""Bytes on an interface for each byte of goodput: headers, acknowledgements, our own echoes; 1514/1448 is the least."""

STARVED = 0.01
"""A process kept waiting for this part of a test moved less than it could: the size of the errors we promise."""
STOLEN = 0.02
"""Nor can a virtual machine vouch for a rate whose host took this part of its processors: 2 to 4 % cost a rate 3 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one phase. `cross_bytes` is what the interface carried beyond the test."""

    goodput_bps: float | None
    bytes_count: int = 0
    stop_reason: StopReason | None = None
    is_precise: bool = True
    is_server_limited: bool = False
    starved_ratio: float = 0.0
    cpu: CpuUse | None = None
    cross_bytes: int | None = None
    link_bps: float | None = None
    ceiling_bps: float | None = None


class Row(NamedTuple):
    """A cause and when it applies."""

    limited_by: LimitedBy
    applies: Callable[[Evidence], bool]


def cross_bytes(moved: int, carried: int) -> int:
    """Return what an interface carried beyond a test.

    Examples
    --------
    >>> cross_bytes(1000, 1050), cross_bytes(1000, 2080)
    (0, 1000)
    """
    return max(0, carried - round(moved * HEADERS))


def _is_cut_short(seen: Evidence) -> bool:
    return seen.stop_reason is StopReason.BYTES and not seen.is_precise


def _is_cpu_full(seen: Evidence) -> bool:
    """A process that fills a core, or a machine with no core to spare, moves no byte faster."""
    cpu = seen.cpu
    return cpu is not None and (cpu.process >= 0.9 or (cpu.machine or 0.0) >= 0.95 or (cpu.stolen or 0.0) >= STOLEN)


ROWS = (
    Row(LimitedBy.UNKNOWN, lambda seen: seen.goodput_bps is None),
    Row(LimitedBy.BYTE_BUDGET, _is_cut_short),
    Row(LimitedBy.SERVER, lambda seen: seen.is_server_limited),
    Row(LimitedBy.PROBE_CPU, lambda seen: bool(seen.ceiling_bps) and seen.goodput_bps >= 0.7 * seen.ceiling_bps),  # type: ignore[operator]
    Row(LimitedBy.PROBE_CPU, _is_cpu_full),
    Row(LimitedBy.PROBE_CPU, lambda seen: seen.starved_ratio > STARVED),
    Row(LimitedBy.PROBE_LINK, lambda seen: bool(seen.link_bps) and seen.goodput_bps >= 0.9 * seen.link_bps),  # type: ignore[operator]
    Row(LimitedBy.CROSS_TRAFFIC, lambda seen: (seen.cross_bytes or 0) > 0.1 * seen.bytes_count + 50_000),
    Row(LimitedBy.NETWORK, lambda seen: True),
)


def judge(seen: Evidence) -> LimitedBy:
    """Return what held the rate down."""
    return next(row.limited_by for row in ROWS if row.applies(seen))
