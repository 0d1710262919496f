"""The method `librespeed`: streams of HTTP downloads or uploads as LibreSpeed's own clients make them."""

from __future__ import annotations

import os
import socket
import threading
import time

from measurement.vocabulary import Failure, Operation, StopReason, ThroughputMethod
from probe.failures import NetworkFailure, as_network_failure
from probe.ndt7.tcp_counters import read_tcp_counters
from probe.target import Target
from probe.throughput.connect import Head, connect, read_head, send_head
from probe.throughput.foreign import Transfer, as_result
from probe.throughput.plan import Direction, Listener, Measured, Plan, Progress
from probe.throughput.series import Series, slices

STREAMS = {Direction.DOWNLINK: 6, Direction.UPLINK: 3}
GRACE_S = {Direction.DOWNLINK: 1.5, Direction.UPLINK: 3.0}
"""LibreSpeed's: this first part of the test is not counted."""
STAGGER_S = 0.3
CHUNKS = 100
UPLOAD_BYTES = 20 * 1024 * 1024
PIECE_BYTES = 256 * 1024
SLICE_S = 0.1
# Where the endpoints are: the peer and the Go server, then the PHP one at its root and below its backend folder.
PLACES = (("/garbage", "/empty"), ("/backend/garbage.php", "/backend/empty.php"), ("/garbage.php", "/empty.php"))


def measure(direction: Direction, target: Target, plan: Plan, listener: Listener) -> Measured:
    """Measure one direction; never longer than the plan's time, the grace and its timeouts."""
    try:
        place = find(target, plan.timeout_s)
    except NetworkFailure as failure:
        return Measured(None, failure)
    return _Phase(direction, target, place, plan, listener).run()


def find(target: Target, timeout_s: float) -> tuple[str, str]:
    """Find the endpoints of a server.

    Raises
    ------
    NetworkFailure
        Where it has none, or does not answer.
    """
    for place in PLACES:
        opened = connect(target, timeout_s)
        with opened.socket:
            try:
                send_head(opened.socket, target, "GET", place[1])
            except OSError as error:
                raise as_network_failure(error, Operation.TRANSFER) from None
            status = read_head(opened.socket, time.monotonic() + timeout_s).status
        if status == 200:
            return place
        if status in (429, 503):
            raise NetworkFailure(Failure.SERVER_BUSY, Operation.TRANSFER, f"The server answered {status}.")
    raise NetworkFailure(Failure.HTTP_REQUEST_FAILED, Operation.TRANSFER, "The server has no LibreSpeed endpoints.")


class _Phase:
    """One direction: a thread a stream, each with its own series of bytes."""

    def __init__(
        self, direction: Direction, target: Target, place: tuple[str, str], plan: Plan, listener: Listener
    ) -> None:
        self.direction, self.target, self.plan, self.listener = direction, target, plan, listener
        paths = {Direction.DOWNLINK: f"{place[0]}?ckSize={CHUNKS}", Direction.UPLINK: place[1]}
        self.path = paths[direction]
        self.started = time.monotonic()
        self.grace_s = min(GRACE_S[direction], plan.duration_s / 3)
        self.until = self.started + self.grace_s + plan.duration_s
        self.stopping = threading.Event()
        self.failure: NetworkFailure | None = None
        self.series: list[Series] = []
        self.block = os.urandom(1 << 20)

    def run(self) -> Measured:
        count = self.plan.stream_count or STREAMS[self.direction]
        self.series = [Series() for _ in range(count)]
        threads = [
            threading.Thread(target=self._stream, args=(number,), name=f"librespeed-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        reason = self._watch(threads)
        self.stopping.set()
        ended = min(time.monotonic(), self.until)
        for thread in threads:
            thread.join(self.plan.timeout_s)
        return self._measured(ended, reason)

    def _watch(self, threads: list[threading.Thread]) -> StopReason:
        while (now := time.monotonic()) < self.until:
            moved, elapsed = sum(s.counts[-1] for s in self.series if s.counts), now - self.started
            rate = moved * 8 / elapsed if moved and elapsed > 0 else None
            self.listener(Progress(self.direction, elapsed, moved, rate, elapsed < self.grace_s))
            if self.plan.byte_budget is not None and moved >= self.plan.byte_budget:
                return StopReason.BYTES
            if not any(thread.is_alive() for thread in threads):
                return StopReason.ERROR
            time.sleep(0.05)
        return StopReason.TIME

    def _stream(self, number: int) -> None:
        """Transfer again and again until told to stop; the first failure of all is kept."""
        if self.stopping.wait(number * STAGGER_S * (self.plan.duration_s > 3)):
            return
        series, before = self.series[number], 0
        series.add(time.monotonic(), 0)
        try:
            while not self.stopping.is_set():
                opened = connect(self.target, self.plan.timeout_s)
                with opened.socket:
                    opened.socket.settimeout(self.plan.timeout_s)
                    transfer = self._download if self.direction is Direction.DOWNLINK else self._upload
                    before += transfer(opened.socket, series, before)
        except NetworkFailure as failure:
            self._note(failure)
        except (OSError, EOFError) as error:
            self._note(as_network_failure(error, Operation.TRANSFER))

    def _note(self, failure: NetworkFailure) -> None:
        if not self.stopping.is_set():
            self.failure = self.failure or failure

    def _download(self, sock: socket.socket, series: Series, before: int) -> int:
        send_head(sock, self.target, "GET", self.path)
        head = self._answer(sock)
        length = int(head.headers.get("content-length", "0") or 0) or 1 << 62
        count, scratch = len(head.ahead), bytearray(PIECE_BYTES)
        sock.settimeout(self.plan.timeout_s)
        while count < length and not self.stopping.is_set():
            taken = sock.recv_into(scratch)
            if not taken:
                break
            count += taken
            series.add(time.monotonic(), before + count)
        return count

    def _upload(self, sock: socket.socket, series: Series, before: int) -> int:
        send_head(sock, self.target, "POST", self.path, UPLOAD_BYTES)
        sent = 0
        while sent < UPLOAD_BYTES and not self.stopping.is_set():
            offset = sent % len(self.block)
            sent += sock.send(memoryview(self.block)[offset : offset + min(PIECE_BYTES, UPLOAD_BYTES - sent)])
            # What the other end has acknowledged has arrived; what only left this program may still be queued here.
            acked = read_tcp_counters(sock).get("BytesAcked", sent)
            series.add(time.monotonic(), before + min(sent, acked))
        if sent < UPLOAD_BYTES:
            return sent
        self._answer(sock)
        series.add(time.monotonic(), before + sent)
        return sent

    def _answer(self, sock: socket.socket) -> Head:
        head = read_head(sock, time.monotonic() + self.plan.timeout_s)
        if head.status in (429, 503):
            raise NetworkFailure(Failure.SERVER_BUSY, Operation.TRANSFER, f"The server answered {head.status}.")
        if head.status != 200:
            raise NetworkFailure(Failure.HTTP_REQUEST_FAILED, Operation.TRANSFER, f"The server answered {head.status}.")
        return head

    def _measured(self, ended: float, reason: StopReason) -> Measured:
        from_s = self.started + self.grace_s if ended - self.started > 1.5 * self.grace_s else self.started
        known = [series for series in self.series if series.times]
        cut = slices(known, from_s, ended, SLICE_S)
        whole = sum(series.counts[-1] for series in known)
        counted, seconds = (sum(cut), len(cut) * SLICE_S) if cut else (float(whole), ended - self.started)
        failure = self.failure if reason is StopReason.ERROR else None
        transfer = Transfer(whole, seconds, SLICE_S, cut, len(self.series), goodput_bps=counted * 8 / seconds)
        result = as_result(ThroughputMethod.LIBRESPEED, transfer, reason)
        if result is None and failure is None:
            failure = self.failure or NetworkFailure(
                Failure.TRANSFER_STALLED, Operation.TRANSFER, "Nothing was transferred."
            )
        return Measured(result, failure)
