"""From the streams of a phase to the record's figures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from measurement.record import ThroughputResult
from measurement.vocabulary import Confidence, StopReason, ThroughputMethod
from probe.limits.judge import STARVED
from probe.throughput.interval import Interval, openness, steady
from probe.throughput.plan import Direction
from probe.throughput.series import Series, common_end, rate_bps, slices, total_at
from probe.throughput.tcp import TcpState

SLICE_S = 0.05
LEAST_COUNTED_S = 2 * SLICE_S
"""A main part shorter than this is none: then everything since the first byte is told, with low confidence."""


class Phase(NamedTuple):
    """What a phase left: `main_s` is where counting began, None where the line never was warm."""

    direction: Direction
    streams: list[Series]
    main_s: float | None
    rtt_s: float
    moved: int
    tcp: Sequence[TcpState]
    stop_reason: StopReason
    precision: float
    starved_ratio: float = 0.0


def steady_rate(streams: list[Series], start_s: float, end_s: float, rtt_s: float) -> Interval | None:
    """Return the interval of the steady rate, in bytes a slice."""
    parts = slices(streams, start_s, end_s, SLICE_S)
    return steady(parts, openness(rtt_s, len(parts) * SLICE_S))


def compose(phase: Phase) -> ThroughputResult | None:
    """Return the figures, None where nothing arrived."""
    streams = phase.streams
    end = common_end(streams)
    if end is None or phase.moved == 0:
        return None
    first = min(one.times[0] for one in streams)
    is_warm = phase.main_s is not None and end - phase.main_s >= LEAST_COUNTED_S
    start = phase.main_s if is_warm and phase.main_s is not None else first
    interval = steady_rate(streams, start, end, phase.rtt_s) if is_warm else None
    goodput, per_second = rate_bps(streams, start, end), 8 / SLICE_S
    rtts = [state.rtt_min_ms for state in phase.tcp if state.rtt_min_ms]
    return ThroughputResult(
        method=ThroughputMethod.HTTP,
        goodput_bps=goodput,
        low_bps=None if interval is None or goodput is None else min(goodput, interval.low * per_second),
        high_bps=None if interval is None or goodput is None else max(goodput, interval.high * per_second),
        bytes_count=_bytes_used(phase),
        duration_ms=(end - start) * 1000,
        warmup_ms=(start - first) * 1000,
        stream_count=len(streams),
        slice_ms=SLICE_S * 1000,
        slices_bytes=_whole(streams, start, int((end - start) / SLICE_S + 1e-9)),
        stop_reason=phase.stop_reason,
        confidence=confidence(interval, phase.precision, phase.starved_ratio),
        rtt_min_ms=min(rtts) if rtts else None,
        retransmit_ratio=_retransmitted(phase),
    )


def _bytes_used(phase: Phase) -> int:
    """What the phase cost: what arrived, or what was sent, retransmissions too, without what never left."""
    sent = sum(state.bytes_sent for state in phase.tcp)
    return sent if phase.direction is Direction.UPLINK and sent else phase.moved


def _retransmitted(phase: Phase) -> float | None:
    sent = sum(state.bytes_sent for state in phase.tcp)
    if phase.direction is Direction.DOWNLINK or not sent:
        return None
    return min(1.0, sum(state.bytes_retransmitted for state in phase.tcp) / sent)


def _whole(streams: list[Series], start: float, count: int) -> list[int]:
    """Return slices as whole bytes whose sum has no rounding drift."""
    edges = [round(total_at(streams, start + index * SLICE_S)) for index in range(count + 1)]
    return [after - before for before, after in pairwise(edges)]


def confidence(interval: Interval | None, precision: float, starved_ratio: float = 0.0) -> Confidence:
    """Return how far a rate can be trusted: high within the precision asked for, medium within thrice that.

    A process that was kept from running cannot vouch for its own interval: medium at best.
    """
    if interval is None or interval.relative > 3 * precision:
        return Confidence.LOW
    is_high = interval.relative <= precision and starved_ratio <= STARVED
    return Confidence.HIGH if is_high else Confidence.MEDIUM
