"""The method `iperf3` against the real server, and its reading of reports."""

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from measurement.errors import ConfigError
from measurement.vocabulary import Failure, Operation, StopReason, ThroughputMethod
from probe import iperf3 as method
from probe.target import parse, resolve
from probe.throughput.plan import Direction, Measured, Plan, Progress
from tests.servers.iperf3 import Iperf3


def measured(port: int, direction: Direction = Direction.DOWNLINK, **plan: object) -> Measured:
    limits = {"duration_s": 2.0, "timeout_s": 2.0, **plan}
    return method.measure(direction, resolve(parse(f"http://127.0.0.1:{port}")), Plan(**limits), lambda _: None)


@pytest.mark.server("iperf3")
@pytest.mark.parametrize("direction", list(Direction))
def test_it_fills_the_record(iperf3: Iperf3, direction: Direction) -> None:
    seen: list[Progress] = []
    target = resolve(parse(f"http://{iperf3.host}:{iperf3.port}"))
    done = method.measure(direction, target, Plan(duration_s=2), seen.append)
    assert done.failure is None
    result = done.result
    assert (result.method, result.stream_count, result.stop_reason) == (ThroughputMethod.IPERF3, 4, StopReason.TIME)
    assert result.goodput_bps > 50e6
    assert result.duration_ms == pytest.approx(2000, rel=0.5)
    assert result.goodput_bps * result.duration_ms / 8000 == pytest.approx(result.bytes_count, rel=0.01)
    assert (result.slices_bytes is None) is (result.slice_ms is None)
    if result.slices_bytes is not None:  # a machine that is busy elsewhere reports none of equal length
        assert 15 <= len(result.slices_bytes) <= 25
        assert sum(result.slices_bytes) == pytest.approx(result.bytes_count, rel=0.25)
    assert result.retransmit_ratio is None or 0 <= result.retransmit_ratio < 0.2
    assert [p for p in seen if not p.is_warming]


@pytest.mark.server("iperf3")
def test_a_byte_budget_ends_it(iperf3: Iperf3) -> None:
    result = measured(iperf3.port, byte_budget=20_000_000).result
    assert result.stop_reason is StopReason.BYTES
    assert result.bytes_count < 40_000_000


@pytest.mark.server("iperf3")
def test_one_test_at_a_time(iperf3: Iperf3) -> None:
    first = threading.Thread(target=measured, args=(iperf3.port,))
    first.start()
    time.sleep(0.7)
    busy = measured(iperf3.port)
    first.join()
    assert (busy.failure.failure, busy.failure.operation) == (Failure.SERVER_BUSY, Operation.CONNECT)


def test_nobody_listens() -> None:
    done = measured(9)
    assert (done.result, done.failure.failure) == (None, Failure.CONNECTION_REFUSED)
    assert done.failure.operation is Operation.CONNECT


def test_a_server_that_says_nothing_costs_its_time_and_no_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        done = measured(silent.getsockname()[1], duration_s=0.5, timeout_s=0.5)
    assert time.monotonic() - started < 8
    assert done.failure is not None


def test_a_missing_program_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match="apt install iperf3"):
        measured(9)


@pytest.mark.parametrize(
    "printed", ["", "not json", "[]", "{}", '{"end": {}}', '{"error": "unable to connect: Connection refused"}']
)
def test_a_report_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str) -> None:
    program = tmp_path / "iperf3"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    done = measured(9)
    assert done.result is None
    assert done.failure is not None


# As iperf3 3.12 reports it, shortened.
REPORT = {
    "start": {"tcp_mss_default": 1448},
    "intervals": [{"sum": {"bytes": 1_250_000, "seconds": 0.1}} for _ in range(20)],
    "end": {
        "streams": [{"sender": {"min_rtt": 250}}, {"sender": {"min_rtt": 300}}],
        "sum_sent": {"bytes": 26_000_000, "retransmits": 18},
        "sum_received": {"bytes": 25_000_000, "seconds": 2.0},
    },
}


def test_figures_of_a_known_report() -> None:
    found = method.transfer_of(REPORT, Direction.DOWNLINK)
    assert (found.bytes_count, found.seconds, found.stream_count, found.rtt_min_ms) == (25_000_000, 2.0, 2, 0.25)
    assert found.retransmit_ratio == pytest.approx(18 * 1448 / 26e6)
    assert found.slices_bytes == [1_250_000] * 20


def test_intervals_of_any_length_are_no_series() -> None:
    sums = [{"sum": {"bytes": 10, "seconds": 0.1 if n % 3 else 0.4}} for n in range(20)]
    found = method.transfer_of(REPORT | {"intervals": sums}, Direction.DOWNLINK)
    assert (found.slice_s, found.slices_bytes) == (None, ())


def test_an_uplink_is_read_where_it_arrives() -> None:
    served = {"intervals": [{"sum": {"bytes": 1_000_000, "seconds": 0.1}} for _ in range(20)]}
    found = method.transfer_of(REPORT | {"server_output_json": served}, Direction.UPLINK)
    assert found.slices_bytes == [1_000_000] * 20


@pytest.mark.parametrize(
    ("message", "failure"),
    [
        ("error - the server is busy running a test. try again later", Failure.SERVER_BUSY),
        ("unable to connect to server: Connection refused", Failure.CONNECTION_REFUSED),
        ("unable to connect to server: No route to host", Failure.HOST_UNREACHABLE),
        ("unable to connect to server: Connection timed out", Failure.GENERIC_TIMEOUT_ERROR),
        ("control socket has closed unexpectedly", Failure.EOF_ERROR),
        ("something new", Failure.UNKNOWN_FAILURE),
    ],
)
def test_messages_become_words(message: str, failure: Failure) -> None:
    assert method.failure_of({"error": message}).failure is failure
    assert method.failure_of(json.loads("{}")) is None
