"""One drive: latency in segments without a gap, throughput in cycles at least 30 s apart, pausing when told or slow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from measurement.codec import encode
from measurement.record import Record
from measurement.vocabulary import Status
from probe.agent.clock import Clock
from probe.agent.lines import line_of
from probe.agent.tasks import Task
from probe.boot import boot_clock_ms
from probe.drive.logbook import Logbook, Note, Result
from probe.drive.recorder import Part, Recorder
from probe.drive.stops import Stops
from probe.report import Reporter
from probe.spool.spool import Spool

MIN_CYCLE_S = 30.0  # QCVN: at least 30 s between two samples of one device
RETRY_S = 1.0
DELIVERY_S = 30.0  # between tests, never beside one

_log = logging.getLogger("haidang.drive")

Measure = Callable[[Part, bool, float], Record]
"""Runs one test with its surroundings: with throughput or latency alone, for so many seconds of echoes."""


class Rules(NamedTuple):
    """How a drive goes."""

    segment_s: float = 10.0  # at 50 km/h a place every 140 m
    cycle_s: float = 60.0
    has_throughput: bool = True
    pause_below_mps: float | None = None
    is_simulated: bool = False


class Drive:
    """Measures until stopped. The display reads its state from another thread."""

    def __init__(
        self,
        recorder: Recorder,
        logbook: Logbook,
        spool: Spool,
        measure: Measure,
        rules: Rules,
        *,
        clock: Clock,
        reporter: Reporter | None = None,
        stops: Stops | None = None,
    ) -> None:
        self.stops = stops
        self._stop: Task | None = None
        self._reporter, self._next_delivery_s = reporter, clock.monotonic() + DELIVERY_S
        self.recorder, self.logbook, self.spool = recorder, logbook, spool
        self._measure, self.rules, self.clock = measure, rules, clock
        self.is_paused, self.is_slow, self.is_stopped = False, False, False
        self.doing, self.started_s = "starting", clock.monotonic()
        self.last_latency: Record | None = None
        self.last_throughput: Record | None = None
        self.record_count = self.throughput_count = self.failure_count = 0
        self._next_cycle_s, self._last_cycle_s = clock.monotonic(), float("-inf")
        self._ended = threading.Event()
        self.error: str | None = None

    @property
    def is_resting(self) -> bool:
        """Whether nothing is measured now: paused by hand, or slower than wanted."""
        return self.is_paused or self.is_slow

    @property
    def next_cycle_in_s(self) -> float:
        """Seconds until a throughput test may start."""
        return max(0.0, self._next_cycle_s - self.clock.monotonic())

    def test_now(self) -> None:
        """Bring the next throughput test forward, never under 30 s after the last."""
        self._next_cycle_s = max(self.clock.monotonic(), self._last_cycle_s + MIN_CYCLE_S)

    def note(self, text: str) -> None:
        """Keep what somebody saw, with time and place."""
        last = self.recorder.last
        position = last.position if last is not None else None
        longitude = position.longitude_deg if position is not None else None
        latitude = position.latitude_deg if position is not None else None
        self.logbook.add_note(Note(self.clock.now(), longitude, latitude, text[:500]))

    def stop(self) -> None:
        """End after what is being measured now."""
        self.is_stopped = True
        self._ended.set()
        self.clock.wake()

    def run(self) -> None:
        """Measure until stopped."""
        while not self.is_stopped:
            if self.stops is not None:
                self.stops.refresh()
            self._rest_or_measure()
            self._deliver_if_due()
        self.doing = "stopped"

    def _stop_here(self) -> Task | None:
        """Return the planned stop that the drive is at, and bring the throughput test forward on arriving there."""
        last = self.recorder.last
        here = None
        if self.stops is not None and last is not None:
            here = self.stops.here(last.position, self.clock.now())
        if here is not None and here != self._stop:
            self.test_now()
        return here

    def _rest_or_measure(self) -> None:
        self._stop = self._stop_here()
        speed = self.recorder.speed_mps()
        limit = self.rules.pause_below_mps
        # Who stops at a planned stop does so to measure there.
        self.is_slow = self._stop is None and limit is not None and (speed is None or speed < limit)
        self.recorder.is_paused = self.is_resting
        if self.is_resting:
            self.doing = "paused" if self.is_paused else "waiting for speed"
            self.clock.wait(RETRY_S)
        elif self.rules.has_throughput and self.clock.monotonic() >= self._next_cycle_s:
            self._last_cycle_s = self.clock.monotonic()
            self._next_cycle_s = self._last_cycle_s + max(MIN_CYCLE_S, self.rules.cycle_s)
            self._test(is_throughput=True)
        else:
            self._test(is_throughput=False)

    def _deliver_if_due(self) -> None:
        """Report between two tests, one batch, where there is a collector and the line was up a moment ago."""
        is_up = self.last_latency is not None and self.last_latency.outcome.status is not Status.FAILED
        if self._reporter is None or not is_up or self.clock.monotonic() < self._next_delivery_s:
            return
        self.doing = "reporting"
        self._reporter.deliver(max_batches=1)
        self._next_delivery_s = self.clock.monotonic() + max(DELIVERY_S, self._reporter.pause_s())

    def _test(self, *, is_throughput: bool) -> None:
        self.doing = "throughput" if is_throughput else "latency"
        part, began_s = Part(self.recorder), self.clock.monotonic()
        began_boot_ms = boot_clock_ms()
        record = self._measure(part, is_throughput, self.rules.segment_s)
        # A line that is down ends the test at once: the segment goes on, since a place without service is a result.
        left_s = self.rules.segment_s - (self.clock.monotonic() - began_s)
        if left_s > 0 and not self.is_stopped:
            self.clock.wait(left_s)
        self._keep(
            self._completed(record, part, (self.clock.monotonic() - began_s) * 1000), is_throughput, began_boot_ms
        )

    def _completed(self, record: Record, part: Part, duration_ms: float) -> Record:
        network = part.network()
        known = (
            {}
            if network is None
            else {n: v for n in network.__struct_fields__ if (v := getattr(network, n)) is not None}
        )
        merged = record.network if record.network is None else msgspec.structs.replace(record.network, **known)
        return msgspec.structs.replace(
            record,
            radio=part.radio(),
            position=part.position(),
            network=network if merged is None else merged,
            duration_ms=duration_ms,
            is_simulated=self.rules.is_simulated,
            sequence=self.spool.next_sequence(),
            campaign=(self._stop and self._stop.campaign) or record.campaign,
        )

    def _keep(self, record: Record, is_throughput: bool, began_boot_ms: float) -> None:
        self.spool.keep(record.record_id, record.outcome.status.value, encode(record), began_boot_ms)
        if self.stops is not None and self._stop is not None and is_throughput is self.rules.has_throughput:
            self.stops.finish(self._stop)
        self.record_count += 1
        self.failure_count += record.outcome.failure is not None
        if is_throughput:
            self.throughput_count += 1
            self.last_throughput = record
            _log.info("%s", line_of(record))
        self.last_latency = record
        self.logbook.add_result(_result(record, self.recorder.point_count or None, is_throughput))


def _result(record: Record, point: int | None, is_throughput: bool) -> Result:
    idle = record.latency.idle if record.latency is not None else None
    both = record.throughput
    return Result(
        record.record_id,
        record.started_at,
        point,
        "throughput" if is_throughput else "latency",
        record.outcome.status.value,
        None if idle is None else idle.rtt_median_ms,
        None if idle is None else idle.loss_ratio,
        None if both is None or both.downlink is None else both.downlink.goodput_bps,
        None if both is None or both.uplink is None else both.uplink.goodput_bps,
        None if record.outcome.failure is None else record.outcome.failure.value,
    )
