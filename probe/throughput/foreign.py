"""What the methods of other people share: their series as our figures, and signs of life while they run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import NamedTuple, TypeVar

from measurement.record import ThroughputResult
from measurement.vocabulary import Confidence, StopReason, ThroughputMethod
from probe.throughput.interval import Interval, steady
from probe.throughput.plan import Direction, Listener, Progress

TICK_S = 0.2
WARM_S = 1.0
STEADY_FROM = 0.2
"""The interval leaves out this first part of a test that counts its own warm-up; the goodput does not."""
TRUSTED_S = 5.0
"""A shorter test without a pre-test is mostly TCP finding the rate."""
HIGH, MEDIUM = 0.03, 0.10
MOST_SLICES = 2400

T = TypeVar("T")


class Transfer(NamedTuple):
    """What a method counted: bytes and seconds in all, and bytes a slice where it tells."""

    bytes_count: int
    seconds: float
    slice_s: float | None = None
    slices_bytes: Sequence[float] = ()
    stream_count: int | None = None
    rtt_min_ms: float | None = None
    retransmit_ratio: float | None = None
    goodput_bps: float | None = None
    """Where the method has its own definition; else bytes over seconds."""


def steady_of(slices_bytes: Sequence[float], slice_s: float) -> Interval | None:
    """Return the 95 % interval of the rate (bit/s) once a test is under way."""
    return steady([part * 8 / slice_s for part in slices_bytes[int(len(slices_bytes) * STEADY_FROM) :]])


def confidence(seconds: float, interval: Interval | None) -> Confidence:
    """Return how far one figure can be trusted: nothing is known of a test that tells no series."""
    if interval is None or seconds < TRUSTED_S or interval.relative > MEDIUM:
        return Confidence.LOW
    return Confidence.HIGH if interval.relative <= HIGH else Confidence.MEDIUM


def as_result(method: ThroughputMethod, transfer: Transfer, reason: StopReason) -> ThroughputResult | None:
    """Turn a transfer into the record's figures; `None` where nothing arrived."""
    if transfer.bytes_count <= 0 or transfer.seconds <= 0:
        return None
    interval = None
    if transfer.slice_s is not None:
        interval = steady_of(transfer.slices_bytes, transfer.slice_s)
    goodput = transfer.goodput_bps or transfer.bytes_count * 8 / transfer.seconds
    return ThroughputResult(
        method=method,
        goodput_bps=goodput,
        low_bps=None if interval is None else max(0.0, interval.mean - interval.half),
        high_bps=None if interval is None else interval.mean + interval.half,
        bytes_count=transfer.bytes_count,
        duration_ms=transfer.seconds * 1000,
        warmup_ms=0.0,
        stream_count=transfer.stream_count,
        slice_ms=None if transfer.slice_s is None else transfer.slice_s * 1000,
        slices_bytes=[max(0, round(part)) for part in transfer.slices_bytes[:MOST_SLICES]] or None,
        stop_reason=reason,
        confidence=confidence(transfer.seconds, interval),
        rtt_min_ms=transfer.rtt_min_ms,
        retransmit_ratio=transfer.retransmit_ratio,
    )


def attended(
    work: Callable[[], T], direction: Direction, listener: Listener, count: Callable[[], int] = lambda: 0
) -> T:
    """Run what blocks in a thread, telling the listener that time passes; return what it returns, or raise."""
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="method") as executor:
        future: Future[T] = executor.submit(work)
        while True:
            try:
                return future.result(timeout=TICK_S)
            except FutureTimeoutError:
                if future.done():
                    raise
                elapsed, done = time.monotonic() - started, count()
                rate = done * 8 / elapsed if done else None
                listener(Progress(direction, elapsed, done, rate, elapsed < WARM_S))
