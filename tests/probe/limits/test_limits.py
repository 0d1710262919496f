"""What held a rate down: the table, and the meters behind it."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest

from measurement.vocabulary import LimitedBy, StopReason
from probe.limits import ceiling
from probe.limits.ceiling import Ceiling
from probe.limits.cpu import CpuMeter, CpuUse, read_ticks
from probe.limits.interface import counters, interface_of, link_bps, local_address
from probe.limits.judge import ROWS, Evidence, judge

CASES = [
    (Evidence(goodput_bps=None), LimitedBy.UNKNOWN),
    (Evidence(goodput_bps=1e8), LimitedBy.NETWORK),
    (Evidence(goodput_bps=1e8, stop_reason=StopReason.BYTES, is_precise=False), LimitedBy.BYTE_BUDGET),
    (Evidence(goodput_bps=1e8, stop_reason=StopReason.BYTES, is_precise=True), LimitedBy.NETWORK),
    (Evidence(goodput_bps=1e8, is_server_limited=True), LimitedBy.SERVER),
    (Evidence(goodput_bps=1e8, cpu=CpuUse(0.95)), LimitedBy.PROBE_CPU),
    (Evidence(goodput_bps=1e8, cpu=CpuUse(0.3, 0.99, 1.0)), LimitedBy.PROBE_CPU),
    (Evidence(goodput_bps=1e8, cpu=CpuUse(0.3, 0.6, 1.0)), LimitedBy.NETWORK),
    (Evidence(goodput_bps=1e8, cpu=CpuUse(0.3, 0.6, 1.0, 0.1)), LimitedBy.PROBE_CPU),
    (Evidence(goodput_bps=1e8, cpu=CpuUse(0.3, 0.6, 1.0, 0.01)), LimitedBy.NETWORK),
    (Evidence(goodput_bps=1e8, starved_ratio=0.05), LimitedBy.PROBE_CPU),
    (Evidence(goodput_bps=1e8, starved_ratio=0.005), LimitedBy.NETWORK),
    (Evidence(goodput_bps=8e8, ceiling_bps=1e9), LimitedBy.PROBE_CPU),
    (Evidence(goodput_bps=5e8, ceiling_bps=1e9), LimitedBy.NETWORK),
    (Evidence(goodput_bps=94e6, link_bps=100e6), LimitedBy.PROBE_LINK),
    (Evidence(goodput_bps=94e6, link_bps=1e9), LimitedBy.NETWORK),
    (Evidence(goodput_bps=1e8, bytes_count=10**7, cross_bytes=2 * 10**6), LimitedBy.CROSS_TRAFFIC),
    (Evidence(goodput_bps=1e8, bytes_count=10**7, cross_bytes=10**5), LimitedBy.NETWORK),
]


@pytest.mark.parametrize(("evidence", "cause"), CASES)
def test_table(evidence: Evidence, cause: LimitedBy) -> None:
    assert judge(evidence) is cause


def test_every_row_has_a_case() -> None:
    assert {cause for _, cause in CASES} == {row.limited_by for row in ROWS}


def test_ceiling_is_kept_and_rubbish_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ceiling.json"
    assert ceiling.read(path) is None
    kept = Ceiling(measured_at="2026-11-22T00:00:00+00:00", downlink_bps={"http": 3e9})
    ceiling.write(kept, path)
    assert ceiling.read(path) == kept
    path.write_text('{"measured_at": 5}')
    assert ceiling.read(path) is None
    assert ceiling.state_path({"XDG_STATE_HOME": "/x"}) == Path("/x/haidang/ceiling.json")


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux /proc and /sys")
def test_meters_see_work() -> None:
    meter = CpuMeter()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    use = meter.lap()
    assert 0.02 < use.process < 2
    assert use.machine is not None
    assert use.busiest is not None
    assert 0 <= use.machine <= use.busiest <= 1
    assert interface_of(local_address("127.0.0.1", 9)) == "lo"
    before = counters("lo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(10):
            sock.sendto(bytes(1000), ("127.0.0.1", 9))
    after = counters("lo")
    assert before is not None
    assert after is not None
    assert after.sent - before.sent >= 10_000
    assert link_bps("lo") is None
    assert counters("no-such-interface") is None


def test_a_host_that_takes_the_processor_away(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n")
    meter = CpuMeter(stat)
    stat.write_text("cpu  20 0 10 40 0 0 0 30 0 0\ncpu0 20 0 10 40 0 0 0 30 0 0\n")
    use = meter.lap()
    assert (use.machine, use.busiest, use.stolen) == (0.6, 0.6, 0.3)


def test_systems_that_do_not_tell(tmp_path: Path) -> None:
    assert read_ticks(tmp_path / "none") == []
    assert CpuMeter(tmp_path / "none").lap().machine is None
    (tmp_path / "eth9").mkdir()
    (tmp_path / "eth9" / "speed").write_text("-1\n")
    assert link_bps("eth9", tmp_path) is None
    (tmp_path / "eth9" / "speed").write_text("2500\n")
    assert link_bps("eth9", tmp_path) == 2.5e9
