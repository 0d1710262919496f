"""The client of ndt7: one connection, ten seconds, bytes counted where they arrive."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from measurement.record import Access, ThroughputResult
from measurement.vocabulary import Failure, Operation, StopReason, ThroughputMethod
from probe.failures import NetworkFailure, as_network_failure
from probe.ndt7 import handshake, locate, spec
from probe.ndt7.frames import Close, FrameError, Message, Opcode, Reader, close, frame, head
from probe.ndt7.model import Measurement, decode
from probe.peer.payload import send
from probe.target import Target
from probe.throughput.connect import Opened, connect
from probe.throughput.foreign import TRUSTED_S, Transfer, as_result
from probe.throughput.plan import Direction, Listener, Measured, Plan, Progress
from probe.throughput.series import Series, slices
from probe.throughput.tcp import read_tcp_state
from probe.version import AGENT

WAKE_S = 0.1
POINT_S = 0.005
"""Points of the series no closer than this: enough to cut slices of 50 ms."""
SLICE_S = {Direction.DOWNLINK: 0.05, Direction.UPLINK: 0.25}
"""Uplink slices are as fine as the server's messages."""
UNSENT_BYTES = 512 * 1024
HEADERS, HEAD_BYTES = 1.1, 65_536
"""Of frames and TLS for each byte sent, and of the handshake: a server's kernel counts these too."""
NAP_S, NAP_BYTES = 0.001, 256 * 1024
"""When little came, wait a moment for more: one wake-up for many packets."""
_PATHS = {Direction.DOWNLINK: spec.DOWNLOAD_PATH, Direction.UPLINK: spec.UPLOAD_PATH}
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)


class _End(NamedTuple):
    reason: StopReason
    failure: NetworkFailure | None = None


def measure(direction: Direction, target: Target, plan: Plan, listener: Listener) -> Measured:
    """Measure one direction; never longer than the plan's time, or 15 s, and its timeouts."""
    opened: Opened | None = None
    try:
        target, query = locate.service(target, _PATHS[direction], plan.timeout_s)
        opened = connect(target, plan.timeout_s)
        return _run(direction, target, query, opened, plan, listener)
    except NetworkFailure as failure:
        return Measured(None, failure)
    finally:
        if opened is not None:
            opened.socket.close()


def _run(direction: Direction, target: Target, query: str, opened: Opened, plan: Plan, listener: Listener) -> Measured:
    scheme = {"http": "ws", "https": "wss"}[target.scheme]
    url = f"{scheme}{target.url.removeprefix(target.scheme)}{_PATHS[direction]}?{query or _identity()}"
    started = time.monotonic()
    try:
        opened.socket.settimeout(plan.timeout_s)
        ahead = handshake.connect(opened.socket, url, AGENT)
    except (OSError, ValueError) as error:
        raise as_network_failure(error, Operation.TRANSFER) from None
    first_byte_ms = (time.monotonic() - started) * 1000
    access = Access(connect_ms=opened.connect_ms, tls_ms=opened.tls_ms, first_byte_ms=first_byte_ms)
    transfer = _Transfer(direction, opened.socket, ahead, plan, listener)
    end = transfer.run()
    return Measured(transfer.result(end), end.failure, access)


def _identity() -> str:
    name, _, version = AGENT.partition("/")
    return urlencode({"client_name": name, "client_version": version})


class _Transfer:
    """One subtest from the open WebSocket to its end."""

    def __init__(self, direction: Direction, sock: socket.socket, ahead: bytes, plan: Plan, listener: Listener) -> None:
        sock.setblocking(False)
        self.direction, self.socket, self.plan, self.listener = direction, sock, plan, listener
        self.reader = Reader(sock, ahead, from_client=False)
        self.series = Series()
        self.last: Measurement | None = None
        self.started = self.moved_at = self.shown_at = time.monotonic()
        self.until = self.started + min(plan.duration_s, spec.RUNTIME_MOST_S)
        self.series.add(0.0, 0)
        self.sent_bytes = self.moved = 0
        self.size, self.unsent = spec.MESSAGE_LEAST_BYTES, 0
        self.outbox = bytearray()
        self.is_closed = self.is_closing = False
        self.selector = selectors.DefaultSelector()
        self.selector.register(sock, selectors.EVENT_READ)

    def run(self) -> _End:
        step: Callable[[], None] = self.receive if self.direction is Direction.DOWNLINK else self.exchange
        if self.direction is Direction.UPLINK:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT_BYTES)
        with self.selector:
            try:
                end = self.loop(step)
                self.say_goodbye()
            except (FrameError, EOFError, OSError) as error:
                end = self.abrupt(error)
        self.point(force=True)
        return end

    def loop(self, step: Callable[[], None]) -> _End:
        while True:
            now = time.monotonic()
            if self.is_closed:
                return self.judge_close()
            if now >= self.until:
                return _End(StopReason.TIME)
            if self.plan.byte_budget is not None and max(self.moved, self.reader.bulk_bytes) >= self.plan.byte_budget:
                return _End(StopReason.BYTES)
            if now - self.moved_at > self.plan.timeout_s:
                stalled = NetworkFailure(Failure.TRANSFER_STALLED, Operation.TRANSFER, "Nothing moves any more.")
                return _End(StopReason.ERROR, stalled)
            step()
            self.note(now)

    def judge_close(self) -> _End:
        if self.moved:
            return _End(StopReason.TIME)
        return _End(
            StopReason.ERROR, NetworkFailure(Failure.EOF_ERROR, Operation.TRANSFER, "The server closed at once.")
        )

    def abrupt(self, error: BaseException) -> _End:
        # The protocol asks to tolerate an abrupt end: late in a test it only makes it shorter.
        if time.monotonic() - self.started >= TRUSTED_S and self.moved:
            return _End(StopReason.TIME)
        if isinstance(error, FrameError):
            return _End(StopReason.ERROR, NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, str(error)))
        return _End(StopReason.ERROR, as_network_failure(error, Operation.TRANSFER))

    def note(self, now: float) -> None:
        """Keep the times of movement and tell the listener now and then."""
        moved = max(self.reader.bulk_bytes, self.sent_bytes - self.unsent)
        if moved > self.moved:
            self.moved, self.moved_at = moved, now
        if now - self.shown_at >= WAKE_S:
            self.shown_at = now
            elapsed = now - self.started
            count = self.series.counts[-1] if self.direction is Direction.UPLINK and self.last else self.moved
            self.listener(Progress(self.direction, elapsed, count, count * 8 / elapsed, elapsed < 1.0))

    def point(self, force: bool = False) -> None:
        """Add a point to the downlink's series."""
        elapsed = time.monotonic() - self.started
        if self.direction is Direction.DOWNLINK and (force or elapsed - self.series.times[-1] >= POINT_S):
            if force and self.reader.bulk_bytes == self.series.counts[-1]:
                return  # the wait for the other end's close is no part of the test
            self.series.add(elapsed, self.reader.bulk_bytes)

    def receive(self) -> None:
        """Wait for data and take what is there."""
        wait = max(0.0, min(WAKE_S, self.until - time.monotonic()))
        if not self.has_pending():
            self.selector.select(wait)
        enough, before = time.monotonic() + WAKE_S, self.reader.bulk_bytes
        with contextlib.suppress(*_NOT_NOW):
            while not self.is_closed and time.monotonic() < enough:
                self.take(self.reader.step())
                self.point()
        self.flush()
        if 0 < self.reader.bulk_bytes - before < NAP_BYTES:
            time.sleep(NAP_S)

    def exchange(self) -> None:
        """Send what the socket takes, and read what the server counts."""
        self.selector.modify(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
        for _, events in self.selector.select(max(0.0, min(WAKE_S, self.until - time.monotonic()))):
            if events & selectors.EVENT_READ or self.has_pending():
                with contextlib.suppress(*_NOT_NOW):
                    while not self.is_closed:
                        self.take(self.reader.step())
            if events & selectors.EVENT_WRITE:
                with contextlib.suppress(*_NOT_NOW):
                    self.send_load()

    def send_load(self) -> None:
        """Send of the current message what goes; begin the next when it is out."""
        if not self.flush():
            return
        if not self.unsent:
            self.size = spec.next_message_bytes(self.size, self.sent_bytes)
            # The payload is random, so it is as good masked as unmasked: nothing needs to be computed.
            self.outbox += head(Opcode.BINARY, self.size, os.urandom(4))
            self.unsent = self.size
            self.sent_bytes += self.size
            if not self.flush():
                return
        self.unsent -= send(self.socket, self.sent_bytes - self.unsent, self.unsent)

    def flush(self) -> bool:
        """Send small frames that wait; say whether all are out. In the middle of a message none may."""
        while self.outbox:
            try:
                del self.outbox[: self.socket.send(self.outbox)]
            except _NOT_NOW:
                return False
        return True

    def take(self, message: Message | None) -> None:
        if message is None:
            return
        if message.opcode is Opcode.TEXT:
            self.learn(decode(message.payload))
        elif message.opcode is Opcode.PING and not self.unsent:
            self.outbox += frame(Opcode.PONG, message.payload, is_client=True)
        elif message.opcode is Opcode.CLOSE:
            self.is_closed = True
        elif message.opcode is Opcode.BINARY and self.direction is Direction.UPLINK:
            raise FrameError(Close.UNSUPPORTED, "The server sent a binary message during an upload.")

    def learn(self, told: Measurement | None) -> None:
        if told is None:
            return
        self.last = told
        if self.direction is not Direction.UPLINK:
            return
        # As M-Lab's own clients: the kernel's count is exact even where the server's program is behind with reading.
        if told.TCPInfo is not None and told.TCPInfo.BytesReceived and told.TCPInfo.ElapsedTime:
            self.count(told.TCPInfo.ElapsedTime / 1e6, told.TCPInfo.BytesReceived)
        elif told.AppInfo is not None and told.AppInfo.num_bytes:
            self.count(told.AppInfo.elapsed_time / 1e6, told.AppInfo.num_bytes)

    def count(self, seconds: float, received: int) -> None:
        """Believe a server that has counted for no longer than we know it, and no more than was sent with headers."""
        known_s = time.monotonic() - self.started + self.plan.timeout_s
        if 0 <= seconds <= known_s and 0 <= received <= HEADERS * self.sent_bytes + HEAD_BYTES:
            self.series.add(seconds, received)

    def has_pending(self) -> bool:
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def say_goodbye(self) -> None:
        """Finish the message under way, close, and wait for the server's last word, within 15 s of the start."""
        until = min(self.started + spec.CONNECTION_MOST_S, time.monotonic() + 2 + self.plan.timeout_s)
        counted = self.reader.bulk_bytes
        while self.unsent and not self.is_closed and time.monotonic() < until:
            self.exchange_rest()
        if not self.unsent:
            self.outbox += close(Close.NORMAL, is_client=True)
        if self.direction is Direction.DOWNLINK:
            self.flush()
            self.reader.bulk_bytes = counted
            return
        while not self.is_closed and time.monotonic() < until:
            self.exchange_rest()

    def exchange_rest(self) -> None:
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent or self.outbox else 0)
        self.selector.modify(self.socket, wanted)
        self.selector.select(WAKE_S)
        with contextlib.suppress(*_NOT_NOW):
            if self.flush() and self.unsent:
                self.unsent -= send(self.socket, self.sent_bytes - self.unsent, self.unsent)
        with contextlib.suppress(*_NOT_NOW, EOFError):
            while not self.is_closed:
                self.take(self.reader.step())

    def result(self, end: _End) -> ThroughputResult | None:
        """Turn the series into the record's figures; `None` where nothing arrived."""
        elapsed, count, slice_s = self.series.times[-1], self.series.counts[-1], SLICE_S[self.direction]
        tcp, told = read_tcp_state(self.socket), self.last.TCPInfo if self.last is not None else None
        sent, again, rtt_min_ms = tcp.bytes_sent, tcp.bytes_retransmitted, tcp.rtt_min_ms
        if self.direction is Direction.DOWNLINK and told is not None:
            sent, again = told.BytesSent or 0, told.BytesRetrans or 0
            rtt_min_ms = told.MinRTT / 1000 if told.MinRTT else rtt_min_ms
        transfer = Transfer(
            bytes_count=max(count, self.moved) if count else 0,
            seconds=elapsed,
            slice_s=slice_s,
            slices_bytes=slices([self.series], 0.0, elapsed, slice_s),
            stream_count=1,
            rtt_min_ms=rtt_min_ms,
            retransmit_ratio=min(1.0, again / sent) if sent else None,
            goodput_bps=count * 8 / elapsed if elapsed > 0 else None,
        )
        return as_result(ThroughputMethod.NDT7, transfer, end.reason)
