"""The method `http`: warm the streams, count slices where bytes arrive, stop when the evidence suffices."""

from __future__ import annotations

import select
import time
from typing import NamedTuple

from measurement.vocabulary import Failure, Operation, StopReason
from probe.failures import NetworkFailure, as_network_failure
from probe.target import Target
from probe.throughput import pretest
from probe.throughput.flows import Flow
from probe.throughput.opening import Opening
from probe.throughput.plan import Direction, Listener, Measured, Plan, Progress
from probe.throughput.result import SLICE_S, Phase, compose, steady_rate
from probe.throughput.series import Series, common_end, rate_bps
from probe.throughput.tcp import TcpState, read_tcp_state

TICK_S = 0.025
LATE_TICK_S = 0.06
"""A tick later than this was kept from running: by other programs, or by a processor that cannot keep up."""
LEAST_MAIN_S = 1.0
"""No stop by evidence before this: below it the slices are too few to show their own correlation."""
LEAST_ROUND_TRIPS = 12
"""Nor before so many round trips: BBR's cycle takes eight."""
NAP_S, NAP_BYTES, NAP_BPS = 0.001, 256 * 1024, 1.5e9
"""When little came, wait a moment for more: one wake-up for many packets. Faster lines fill their window meanwhile."""
PUMP_BYTES = 8 * 1024 * 1024
WEIGH_S = 4 * SLICE_S
TELL_S, SHOWN_S = 0.1, 0.25
"""Progress comes this often and shows the rate of this long."""


class _Stop(NamedTuple):
    reason: StopReason
    failure: NetworkFailure | None = None


def measure(direction: Direction, target: Target, plan: Plan, listener: Listener) -> Measured:
    """Measure one direction; never longer than the plan's times together."""
    return _Phase(direction, target, plan, listener).run()


class _Phase:
    def __init__(self, direction: Direction, target: Target, plan: Plan, listener: Listener) -> None:
        self.direction, self.plan, self.listener = direction, plan, listener
        self.opening = Opening(direction, target, plan)
        self.flows: list[Flow] = []
        self.tcp: list[TcpState] = []
        self.poll = select.poll() if hasattr(select, "poll") else None
        self.began = self.ticked_at = self.moved_at = self.told_at = 0.0
        self.moved, self.rate_bps, self.starved_s = 0, 0.0, 0.0
        self.wanted = 0  # streams asked for; one that could not be opened is not asked for again
        # On the clock of the receiving end: when the last stream began, counting began, and the evidence was weighed.
        self.last_stream_s: float | None = None
        self.main_s: float | None = None
        self.judged_s = 0.0

    def run(self) -> Measured:
        try:
            self.opening.ask()
            self.opening.add(self.plan.stream_count or 1)
            stop = self._loop()
        except NetworkFailure as failure:
            stop = _Stop(StopReason.ERROR, failure)
        finally:
            self._close()
        starved = min(1.0, self.starved_s / max(1e-3, self.ticked_at - self.began))
        result = compose(
            Phase(
                self.direction,
                self._series,
                self.main_s,
                self.opening.rtt_s,
                self._moved,
                self.tcp,
                stop.reason,
                self.plan.precision,
                starved,
            )
        )
        return Measured(result, stop.failure, self.opening.access, self._is_server_limited, starved)

    @property
    def _series(self) -> list[Series]:
        return [flow.series for flow in self.flows]

    @property
    def _is_server_limited(self) -> bool:
        """Did the peer's window, not the line, hold our sending for half of the time or more?"""
        busy = sum(state.busy_us for state in self.tcp)
        return busy > 0 and 2 * sum(state.window_limited_us for state in self.tcp) > busy

    def _loop(self) -> _Stop:
        self.began = self.moved_at = self.ticked_at = time.monotonic()
        tick = self.began
        while True:
            self._admit()
            now = time.monotonic()
            if now >= tick:
                stop = self._on_tick(now)
                if stop is not None:
                    return stop
                tick = max(tick + TICK_S, now + TICK_S / 2)
            try:
                self._wait_and_pump(tick)
            except NetworkFailure as failure:
                return _Stop(StopReason.ERROR, failure)
            except OSError as error:
                return _Stop(StopReason.ERROR, as_network_failure(error, Operation.TRANSFER))

    def _admit(self) -> None:
        """Take in the streams that have opened since."""
        for flow in self.opening.take(has_others=bool(self.flows)) if self.opening.pending_count else ():
            self.flows.append(flow)
            flow.note(time.monotonic())
            if self.poll is not None:
                events = select.POLLIN | (select.POLLOUT if flow.wants_write else 0)
                self.poll.register(flow.socket, events)

    def _wait_and_pump(self, until: float) -> None:
        left = max(0.0, until - time.monotonic())
        if not self.flows:
            time.sleep(min(left, 0.002))
            return
        if self.poll is not None:
            self.poll.poll(left * 1000)
        else:
            writers = [flow.socket for flow in self.flows if flow.wants_write]
            select.select([flow.socket for flow in self.flows], writers, [], left)
        moved = sum(flow.pump(self._allowed) for flow in self.flows)
        if moved < NAP_BYTES and self.rate_bps < NAP_BPS:
            time.sleep(min(NAP_S, max(0.0, until - time.monotonic())))

    def _on_tick(self, now: float) -> _Stop | None:
        self.starved_s += max(0.0, now - self.ticked_at - LATE_TICK_S)
        elapsed, self.ticked_at = now - self.ticked_at, now
        for flow in self.flows:
            flow.note(now)
        moved = self._arrived
        self.rate_bps = (moved - self.moved) * 8 / elapsed if elapsed > 0 else 0.0
        if moved > self.moved:
            self.moved, self.moved_at = moved, now
        elif now - self.moved_at > self.plan.timeout_s:
            return _Stop(StopReason.ERROR, NetworkFailure(Failure.TRANSFER_STALLED, Operation.TRANSFER))
        self._report(now)
        if self._allowed <= 0 and moved >= self._moved:
            return _Stop(StopReason.BYTES)
        return self._warm_up(now) if self.main_s is None else self._judge(now)

    @property
    def _moved(self) -> int:
        return sum(flow.moved for flow in self.flows)

    @property
    def _allowed(self) -> int:
        """How much may move in one go."""
        budget = self.plan.byte_budget
        return PUMP_BYTES if budget is None else min(PUMP_BYTES, budget - self._moved)

    @property
    def _arrived(self) -> int:
        return sum(flow.series.counts[-1] for flow in self.flows if flow.series.counts)

    def _warm_up(self, now: float) -> _Stop | None:
        series, rtt_s = self._series, self.opening.rtt_s
        end, elapsed = common_end(series), now - self.began
        if end is None or self.opening.pending_count:
            self.last_stream_s = None
            if elapsed > self.plan.pretest_s + self.plan.timeout_s:
                return _Stop(StopReason.ERROR, NetworkFailure(Failure.TRANSFER_STALLED, Operation.TRANSFER))
            return None
        if self.last_stream_s is None:
            self.last_stream_s = end
        recent = rate_bps(series, end - max(2 * TICK_S, rtt_s), end) or 0.0
        for flow in self.flows:
            flow.expect(recent)
        wanted = self.plan.stream_count or pretest.stream_count(recent, rtt_s)
        if wanted > max(len(self.flows), self.wanted) and elapsed < self.plan.pretest_s:
            self.opening.add(wanted - len(self.flows))
            self.wanted = wanted
        elif elapsed >= self.plan.pretest_s or pretest.is_warm(series, self.last_stream_s, rtt_s):
            self.main_s = self.judged_s = end
        return None

    def _judge(self, now: float) -> _Stop | None:
        end, rtt_s = common_end(self._series), self.opening.rtt_s
        # From the first byte, warm-up included: BBR pauses to probe the round trip 10 s after a connection began.
        if now - self.began >= self.plan.duration_s:
            return _Stop(StopReason.TIME)
        if end is None or self.main_s is None or self.plan.is_thorough or end - self.judged_s < WEIGH_S:
            return None
        if end - self.main_s < max(LEAST_MAIN_S, LEAST_ROUND_TRIPS * rtt_s):
            return None
        self.judged_s = end
        interval = steady_rate(self._series, self.main_s, end, rtt_s)
        return _Stop(StopReason.STABLE) if interval is not None and interval.relative <= self.plan.precision else None

    def _report(self, now: float) -> None:
        if now - self.told_at < TELL_S:
            return
        self.told_at = now
        end = common_end(self._series)
        rate = None if end is None else rate_bps(self._series, end - SHOWN_S, end)
        self.listener(Progress(self.direction, now - self.began, self._arrived, rate, self.main_s is None))

    def _close(self) -> None:
        for flow in self.flows:
            self.tcp.append(read_tcp_state(flow.socket))
            flow.close()
        self.opening.close()
