"""One cycle against a real peer: one record, whole; what people see of it; the command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from measurement.codec import decode, encode
from measurement.record import Record, Throughput
from measurement.vocabulary import Failure, LatencyMethod, LimitedBy, Status
from probe import presentation
from probe.commands.peer import command as peer_command
from probe.commands.test import command
from probe.cycle import Clocks, Cycle, run_cycle
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.presentation import rows, text
from probe.target import parse
from probe.throughput.plan import Direction, Plan
from tests.probe import hostile

SHORT = Plan(duration_s=1.5, pretest_s=0.3)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIDANG_STATE", str(tmp_path))


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    one = Peer(PeerSettings(host="127.0.0.1", port=0, site="loopback", asn=64512, is_domestic=True))
    one.start()
    yield one
    one.stop(0.1)


@pytest.fixture(scope="module")
def record(peer: Peer) -> Record:
    return run_cycle(parse(peer.url), Cycle(probe_id="p-1", plan=SHORT, idle_s=0.3, campaign="c", sequence=7))


def test_a_record_is_whole(record: Record) -> None:
    assert decode(encode(record)) == record
    assert record.outcome.status is Status.COMPLETE
    assert (record.probe_id, record.campaign, record.sequence) == ("p-1", "c", 7)
    assert record.throughput is not None
    for result in (record.throughput.downlink, record.throughput.uplink):
        assert result is not None
        assert (result.goodput_bps or 0) > 10e6
        assert result.rtt_min_ms is not None or sys.platform != "linux"
    assert record.latency is not None
    for phase in (record.latency.idle, record.latency.downlink, record.latency.uplink):
        assert phase is not None
        assert phase.method is LatencyMethod.STAMP
        assert phase.received_count > 0
    assert record.server is not None
    assert (record.server.site, record.server.asn, record.server.is_domestic) == ("loopback", 64512, True)
    assert record.access is not None
    assert None not in (record.access.resolve_ms, record.access.connect_ms, record.access.first_byte_ms)
    assert record.device is not None
    assert record.device.limited_by is not None
    assert record.network is not None
    assert record.network.ip_version == 4


def test_a_wall_clock_that_jumps_back_moves_nothing_but_the_start(peer: Peer) -> None:
    times = iter(datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=day) for day in range(100))
    cycle = Cycle(probe_id="p", plan=SHORT, idle_s=0, directions=(Direction.DOWNLINK,))
    made = run_cycle(parse(peer.url), cycle, clocks=Clocks(now=lambda: next(times)))
    assert made.started_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert made.duration_ms is not None
    assert 0 < made.duration_ms < 60_000
    assert made.outcome.status is Status.COMPLETE


def test_bytes_are_shared_by_both_directions(peer: Peer) -> None:
    cycle = Cycle(probe_id="p", plan=Plan(duration_s=3, stream_count=1), idle_s=0, byte_budget=10_000_000)
    made = run_cycle(parse(peer.url), cycle)
    assert made.throughput is not None
    used = [result.bytes_count or 0 for result in (made.throughput.downlink, made.throughput.uplink) if result]
    assert len(used) == 2
    assert sum(used) < 13_000_000
    assert made.device is not None
    assert made.device.limited_by in (LimitedBy.BYTE_BUDGET, LimitedBy.PROBE_CPU)


def test_silent_udp_falls_back_to_tcp() -> None:
    def behave(sock: object, line: str) -> None:
        hostile.answer(sock, "200 OK", b'{"stamp_port": 9}')  # type: ignore[arg-type]

    with hostile.hostile(behave) as port:
        cycle = Cycle(probe_id="p", plan=Plan(timeout_s=0.5), idle_s=0.3, directions=())
        made = run_cycle(parse(f"http://127.0.0.1:{port}"), cycle)
    assert made.latency is not None
    assert made.latency.idle is not None
    assert made.latency.idle.method is LatencyMethod.TCP
    assert made.latency.idle.received_count > 0


def test_interrupted_is_a_record(peer: Peer) -> None:
    def listener(progress: object) -> None:
        raise KeyboardInterrupt

    made = run_cycle(parse(peer.url), Cycle(probe_id="p", plan=SHORT, idle_s=0.2), listener=listener)
    assert (made.outcome.status, made.outcome.failure) == (Status.PARTIAL, Failure.INTERRUPTED)


def test_text_for_people(record: Record) -> None:
    english, vietnamese = text(record, "en"), text(record, "vi")
    assert re.search(r"^Downlink +[\d,.]+ Mbit/s ", english, re.MULTILINE)
    assert "Tải xuống" in vietnamese
    assert len(rows(record, "vi")) == len(rows(record, "en"))


def test_an_interval_is_shown_where_it_tells_something(record: Record) -> None:
    assert record.throughput is not None
    assert record.throughput.downlink is not None
    shown = msgspec.structs.replace(record.throughput.downlink, goodput_bps=50e6, low_bps=49e6, high_bps=51.5e6)
    made = msgspec.structs.replace(record, throughput=Throughput(downlink=shown))
    assert "50.0 Mbit/s (95 % interval 49.0–51.5 Mbit/s)" in text(made, "en")
    assert "50,0 Mbit/s (khoảng tin cậy 95 % 49,0–51,5 Mbit/s)" in text(made, "vi")
    vague = msgspec.structs.replace(shown, low_bps=0.0)
    assert "interval" not in text(msgspec.structs.replace(record, throughput=Throughput(downlink=vague)), "en")


def test_every_word_has_both_languages() -> None:
    assert set(presentation.FAILURES) == set(Failure)
    assert set(presentation.LIMITS) == set(LimitedBy)
    tables = (presentation.TEXTS, presentation.FAILURES, presentation.LIMITS, presentation.CONFIDENCES)
    for table in tables:
        for vietnamese, english in table.values():  # type: ignore[attr-defined]
            assert vietnamese
            assert english


def test_command_prints_one_record(peer: Peer) -> None:
    arguments = ["--peer", peer.url, "--seconds", "0.8", "--json", "--quiet", "--probe-id", "p-9", "--only", "uplink"]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    made = decode(done.stdout)
    assert made.probe_id == "p-9"
    assert made.throughput is not None
    assert made.throughput.downlink is None
    assert made.throughput.uplink is not None


def test_command_says_a_failure_and_exits_1() -> None:
    done = CliRunner().invoke(command, ["--peer", "http://127.0.0.1:1", "--language", "vi"])
    assert done.exit_code == 1
    assert "máy chủ từ chối kết nối [connection_refused, connect]" in done.output


def test_command_refuses_what_is_no_peer() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from probe.cli import main; main()", "test", "--peer", "ftp://x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "haidang-probe: Invalid peer 'ftp://x'. http://HOST:PORT or https://HOST:PORT.\n"


def test_peer_command_serves_and_stops(tmp_path: Path) -> None:
    command_line = [sys.executable, "-c", "from probe.cli import main; main()", "peer", "--host", "127.0.0.1"]
    with subprocess.Popen([*command_line, "--port", "0"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().removeprefix("peer: serving on ").split(",")[0].strip()
        made = run_cycle(parse(url), Cycle(probe_id="p", idle_s=0.2, directions=()))
        process.terminate()
        assert process.wait(15) == 0
    assert made.outcome.status is Status.COMPLETE
    bad = CliRunner().invoke(peer_command, ["--ticket-key", str(tmp_path / "none")])
    assert "Invalid key file" in str(bad.exception)


def test_the_probe_starts_fast_and_light() -> None:
    """The base import pulls no numpy and takes little; the figure of 0.3 s leaves room for a busy machine."""
    code = (
        "import sys, time; started = time.process_time(); import probe.cycle, probe.commands.test;"
        "heavy = {'numpy', 'scapy', 'rich', 'websockets', 'prometheus_client'} & set(sys.modules);"
        "print(time.process_time() - started, sorted(heavy))"
    )
    seconds, heavy = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split(" ", 1)
    assert heavy.strip() == "[]"
    assert float(seconds) < 0.3


def test_json_is_one_line(record: Record) -> None:
    assert b"\n" not in encode(record)
    assert json.loads(encode(record))["outcome"] == {"status": "complete"}
