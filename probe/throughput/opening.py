"""Open a test at a peer and its streams: a place first, then connections, each on a thread until it is up."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor

from measurement.record import Access
from measurement.vocabulary import Failure, Operation
from probe.failures import NetworkFailure, as_network_failure
from probe.target import Target
from probe.throughput.connect import Opened, check_status, connect, exchange, read_head, send_head
from probe.throughput.flows import Flow, Inflow, Outflow
from probe.throughput.plan import Direction, Plan

STREAM_BYTES = 2**40
QUEUE_S = 5.0
"""A peer lets a test wait this long for a place before it says that it is busy."""


class Opening:
    """A place at the peer, and streams that open in the background."""

    def __init__(self, direction: Direction, target: Target, plan: Plan) -> None:
        self._direction, self._target, self._plan = direction, target, plan
        self._executor = ThreadPoolExecutor(max_workers=16, thread_name_prefix="stream")
        self._pending: list[Future[Flow]] = []
        self._control: Opened | None = None
        self._test_id = ""
        self.access: Access | None = None
        self.rtt_s = 0.0

    @property
    def pending_count(self) -> int:
        """Streams that are not up yet."""
        return len(self._pending)

    def ask(self) -> None:
        """Get a place.

        Raises
        ------
        NetworkFailure
            `server_busy` where there is none.
        """
        self._control = control = connect(self._target, self._plan.timeout_s)
        started = time.monotonic()
        answer = exchange(control.socket, self._target, "POST", "/v1/test", self._plan.timeout_s + QUEUE_S)
        first_byte_ms = (time.monotonic() - started) * 1000
        test_id = answer.get("test")
        if not isinstance(test_id, str) or not test_id.isascii() or not 0 < len(test_id) <= 64:
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The peer gave the test no name.")
        self._test_id, self.rtt_s = test_id, control.connect_ms / 1000
        self.access = Access(connect_ms=control.connect_ms, tls_ms=control.tls_ms, first_byte_ms=first_byte_ms)

    def add(self, count: int) -> None:
        """Begin to open that many streams more."""
        self._pending += [self._executor.submit(self._open) for _ in range(count)]

    def take(self, *, has_others: bool) -> list[Flow]:
        """Return the streams that are up now. Where a test runs already, one that cannot be opened is done without.

        Raises
        ------
        NetworkFailure
            Where the first stream cannot be opened.
        """
        done = [future for future in self._pending if future.done()]
        self._pending = [future for future in self._pending if future not in done]
        flows = [future.result() for future in done if future.exception() is None]
        failed = [error for future in done if (error := future.exception()) is not None]
        if failed and not flows and not has_others:
            raise failed[0]
        return flows

    def close(self) -> None:
        """Give the place back and drop what is still opening."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        for future in self._pending:
            future.add_done_callback(_close_late)
        if self._control is None:
            return
        with contextlib.suppress(OSError):
            if self._test_id:
                send_head(self._control.socket, self._target, "POST", f"/v1/test?end={self._test_id}", 0)
        self._control.socket.close()

    def _open(self) -> Flow:
        opened = connect(self._target, self._plan.timeout_s)
        try:
            return self._request(opened)
        except OSError as error:
            opened.socket.close()
            raise as_network_failure(error, Operation.TRANSFER) from None
        except BaseException:
            opened.socket.close()
            raise

    def _request(self, opened: Opened) -> Flow:
        length = min(STREAM_BYTES, self._plan.byte_budget or STREAM_BYTES)
        asked_s = time.monotonic()
        deadline = asked_s + self._plan.timeout_s
        is_down = self._direction is Direction.DOWNLINK
        if is_down:
            send_head(opened.socket, self._target, "GET", f"/v1/download?bytes={length}&test={self._test_id}")
        else:
            send_head(opened.socket, self._target, "POST", f"/v1/upload?test={self._test_id}", length)
        head = read_head(opened.socket, deadline)
        check_status(head)
        if not is_down:
            flow = Outflow(opened.socket, length, self._plan.portable, asked_s=asked_s)
            flow.take_ahead(head.ahead)
            return flow
        if head.headers.get("content-length") != str(length):
            raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.TRANSFER, "The peer announces another length.")
        return Inflow(opened.socket, length, head.ahead, self._plan.portable)


def _close_late(future: Future[Flow]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()
