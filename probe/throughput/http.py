"""The method `http`: warm the streams, count slices where bytes arrive, stop when the evidence suffices."""

from __future__ import annotations

import contextlib
import select
import time
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

from measurement.record import Access, ThroughputResult
from measurement.vocabulary import Confidence, Failure, Operation, StopReason, ThroughputMethod
from probe.failures import NetworkFailure, as_network_failure
from probe.target import Target
from probe.throughput import pretest
from probe.throughput.connect import Opened, check_status, connect, exchange, read_head, send_head
from probe.throughput.flows import Flow, Inflow, Outflow
from probe.throughput.interval import Interval, openness, steady
from probe.throughput.plan import Direction, Listener, Measured, Plan, Progress
from probe.throughput.series import Series, common_end, rate_bps, slices, total_at
from probe.throughput.tcp import TcpState, read_tcp_state

SLICE_S = 0.05
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
STREAM_BYTES = 2**40


class _Stop(NamedTuple):
    reason: StopReason
    failure: NetworkFailure | None = None


def measure(direction: Direction, target: Target, plan: Plan, listener: Listener) -> Measured:
    """Measure one direction; never longer than the plan's times together."""
    return _Phase(direction, target, plan, listener).run()


class _Phase:
    def __init__(self, direction: Direction, target: Target, plan: Plan, listener: Listener) -> None:
        self.direction, self.target, self.plan, self.listener = direction, target, plan, listener
        self.flows: list[Flow] = []
        self.opening: list[Future[Flow]] = []
        self.executor = ThreadPoolExecutor(max_workers=8, thread_name_prefix="stream")
        self.poll = select.poll() if hasattr(select, "poll") else None
        self.test_id = ""
        self.rtt_s = 0.0
        self.access: Access | None = None
        self.last_stream_s = 0.0
        self.main_s: float | None = None
        self.began = 0.0
        self.progress_at = 0.0
        self.moved_at, self.moved, self.rate_bps = 0.0, 0, 0.0
        self.tcp: list[TcpState] = []
        self.judged_at = 0.0
        self.ticked_at, self.starved_s = 0.0, 0.0
        self.interval: Interval | None = None

    def run(self) -> Measured:
        control: Opened | None = None
        try:
            control = connect(self.target, self.plan.timeout_s)
            self._open_test(control)
            self._add_streams(self.plan.stream_count or 1)
            stop = self._loop()
        except NetworkFailure as failure:
            stop = _Stop(StopReason.ERROR, failure)
        finally:
            self._close(control)
        starved = self.starved_s / max(1e-3, self.ticked_at - self.began)
        return Measured(self._result(stop), stop.failure, self.access, self._is_server_limited, min(1.0, starved))

    @property
    def _is_server_limited(self) -> bool:
        """Did the peer's window, not the line, hold our sending for half of the time or more?"""
        busy = sum(state.busy_us for state in self.tcp)
        return busy > 0 and 2 * sum(state.window_limited_us for state in self.tcp) > busy

    def _open_test(self, control: Opened) -> None:
        started = time.monotonic()
        answer = exchange(control.socket, self.target, "POST", "/v1/test", self.plan.timeout_s + 5)
        first_byte_ms = (time.monotonic() - started) * 1000
        test_id = answer.get("test")
        if not isinstance(test_id, str) or not test_id.isascii() or not 0 < len(test_id) <= 64:
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The peer gave the test no name.")
        self.test_id, self.rtt_s = test_id, control.connect_ms / 1000
        self.access = Access(connect_ms=control.connect_ms, tls_ms=control.tls_ms, first_byte_ms=first_byte_ms)

    def _add_streams(self, count: int) -> None:
        for _ in range(count - len(self.flows) - len(self.opening)):
            self.opening.append(self.executor.submit(self._open_stream))

    def _open_stream(self) -> Flow:
        opened = connect(self.target, self.plan.timeout_s)
        try:
            return self._request(opened)
        except OSError as error:
            opened.socket.close()
            raise as_network_failure(error, Operation.TRANSFER) from None
        except BaseException:
            opened.socket.close()
            raise

    def _request(self, opened: Opened) -> Flow:
        length = min(STREAM_BYTES, self.plan.byte_budget or STREAM_BYTES)
        deadline = time.monotonic() + self.plan.timeout_s
        is_down = self.direction is Direction.DOWNLINK
        if is_down:
            send_head(opened.socket, self.target, "GET", f"/v1/download?bytes={length}&test={self.test_id}")
        else:
            send_head(opened.socket, self.target, "POST", f"/v1/upload?test={self.test_id}", length)
        head = read_head(opened.socket, deadline)
        check_status(head)
        if not is_down:
            flow = Outflow(opened.socket, length, self.plan.portable)
            flow.take_ahead(head.ahead)
            return flow
        if head.headers.get("content-length") != str(length):
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The peer announces another length.")
        return Inflow(opened.socket, length, head.ahead, self.plan.portable)

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
        for future in [future for future in self.opening if future.done()]:
            self.opening.remove(future)
            flow = future.result()
            self.flows.append(flow)
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
    def _bytes_used(self) -> int:
        """What the test cost: what arrived, or what was sent, retransmissions too, without what never left."""
        sent = sum(state.bytes_sent for state in self.tcp)
        return sent if self.direction is Direction.UPLINK and sent else self._moved

    @property
    def _arrived(self) -> int:
        return sum(flow.series.counts[-1] for flow in self.flows if flow.series.counts)

    def _warm_up(self, now: float) -> _Stop | None:
        series = [flow.series for flow in self.flows]
        end = common_end(series)
        if end is None or self.opening:
            self.last_stream_s = end or 0.0
            if now - self.began > self.plan.pretest_s + self.plan.timeout_s:
                return _Stop(StopReason.ERROR, NetworkFailure(Failure.TRANSFER_STALLED, Operation.TRANSFER))
            return None
        if self.last_stream_s == 0.0:
            self.last_stream_s = end
        recent = rate_bps(series, end - max(0.05, self.rtt_s), end) or 0.0
        for flow in self.flows:
            flow.expect(recent)
        wanted = self.plan.stream_count or pretest.stream_count(recent)
        if wanted > len(self.flows) and now - self.began < self.plan.pretest_s:
            self._add_streams(wanted)
        elif now - self.began >= self.plan.pretest_s or pretest.is_warm(series, self.last_stream_s, self.rtt_s):
            self.main_s = end
            self.judged_at = end
        return None

    def _judge(self, now: float) -> _Stop | None:
        assert self.main_s is not None
        series = [flow.series for flow in self.flows]
        end = common_end(series)
        if end is None:
            return None
        span = end - self.main_s
        # From the first byte, warm-up included: BBR pauses to probe the round trip 10 s after a connection began.
        if now - self.began >= self.plan.duration_s:
            return _Stop(StopReason.TIME)
        least = max(LEAST_MAIN_S, LEAST_ROUND_TRIPS * self.rtt_s)
        if self.plan.is_thorough or span < least or end - self.judged_at < 4 * SLICE_S:
            return None
        self.judged_at = end
        interval = self._steady(slices(series, self.main_s, end, SLICE_S))
        if interval is not None and interval.relative <= self.plan.precision:
            return _Stop(StopReason.STABLE)
        return None

    def _steady(self, parts: list[float]) -> Interval | None:
        return steady(parts, openness(self.rtt_s, len(parts) * SLICE_S))

    def _report(self, now: float) -> None:
        if now - self.progress_at < 0.1:
            return
        self.progress_at = now
        series = [flow.series for flow in self.flows]
        end = common_end(series)
        rate = None if end is None else rate_bps(series, end - 0.25, end)
        self.listener(Progress(self.direction, now - self.began, self._arrived, rate, self.main_s is None))

    def _close(self, control: Opened | None) -> None:
        for flow in self.flows:
            self.tcp.append(read_tcp_state(flow.socket))
            flow.close()
        self.executor.shutdown(wait=False, cancel_futures=True)
        for future in self.opening:
            future.add_done_callback(_close_late)
        if control is None:
            return
        with contextlib.suppress(OSError):
            if self.test_id:
                send_head(control.socket, self.target, "POST", f"/v1/test?end={self.test_id}", 0)
        control.socket.close()

    def _result(self, stop: _Stop) -> ThroughputResult | None:
        series = [flow.series for flow in self.flows]
        end = common_end(series)
        if end is None or self._moved == 0:
            return None
        first = min(one.times[0] for one in series)
        start = first if self.main_s is None else self.main_s
        parts = slices(series, start, end, SLICE_S)
        interval = None if self.main_s is None else self._steady(parts)
        rtts = [state.rtt_min_ms for state in self.tcp if state.rtt_min_ms]
        sent = sum(state.bytes_sent for state in self.tcp)
        again = sum(state.bytes_retransmitted for state in self.tcp)
        per_second = 8 / SLICE_S
        goodput = rate_bps(series, start, end) or 0.0
        return ThroughputResult(
            method=ThroughputMethod.HTTP,
            goodput_bps=goodput,
            low_bps=None if interval is None else min(goodput, interval.low * per_second),
            high_bps=None if interval is None else max(goodput, interval.high * per_second),
            bytes_count=self._bytes_used,
            duration_ms=(end - start) * 1000,
            warmup_ms=(start - first) * 1000,
            stream_count=len(self.flows),
            slice_ms=SLICE_S * 1000,
            slices_bytes=_whole(series, start, len(parts)),
            stop_reason=stop.reason,
            confidence=confidence(interval, self.plan.precision),
            rtt_min_ms=min(rtts) if rtts else None,
            retransmit_ratio=min(1.0, again / sent) if sent and self.direction is Direction.UPLINK else None,
        )


def _whole(series: list[Series], start: float, count: int) -> list[int]:
    """Return slices as whole bytes whose sum has no rounding drift."""
    edges = [round(total_at(series, start + index * SLICE_S)) for index in range(count + 1)]
    return [after - before for before, after in pairwise(edges)]


def confidence(interval: Interval | None, precision: float) -> Confidence:
    """Return how far a rate can be trusted: high within the precision asked for, medium within thrice that."""
    if interval is None or interval.relative > 3 * precision:
        return Confidence.LOW
    return Confidence.HIGH if interval.relative <= precision else Confidence.MEDIUM


def _close_late(future: Future[Flow]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()
