"""The instrument against lines whose truth is known. The wide matrix is `python -m benchmarks.throughput`.

The machine's other work may take the processor from the lab itself, so a line has three tries; what the probe says of
itself (`limited_by`) is shown where all three fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from measurement.codec import decode
from measurement.record import Record
from measurement.vocabulary import LimitedBy, Status
from tests.lab.line import Lab, ahead, line, require
from tests.lab.run_peer import MAIN, start_peer, wait_for

pytestmark = pytest.mark.root

REQUIRED = "HAIDANG_REQUIRE_SERVERS" in os.environ


@pytest.fixture(autouse=True)
def _needs_the_lab() -> Iterator[None]:
    require()
    with ahead():
        yield


def measure(lab: Lab, url: str, *options: str) -> Record:
    """Run `haidang-probe test` at the near end."""
    command = [sys.executable, "-c", MAIN, "test", "--peer", url, "--json", "--quiet", *options]
    return decode(lab.run("probe", command))


LINES = [(10e6, 0.0, 0.0), (50e6, 40.0, 0.0), (100e6, 20.0, 0.001), (400e6, 0.0, 0.0)]
FULL_TEST_S = 20.0
"""What a test of fixed length would take of the line, both ways."""


@pytest.mark.parametrize(("rate_bps", "rtt_ms", "loss"), LINES)
def test_rate_and_round_trip_for_a_small_part_of_a_full_test(rate_bps: float, rtt_ms: float, loss: float) -> None:
    with line(rate_bps, rtt_ms, loss) as lab:
        url = start_peer(lab)
        tries: list[object] = []
        for _ in range(3):
            record = measure(lab, url)
            assert record.outcome.status is Status.COMPLETE
            assert record.throughput is not None
            assert record.latency is not None
            assert record.latency.idle is not None
            ways = [getattr(record.throughput, way) for way in ("downlink", "uplink")]
            error = max(abs((way.goodput_bps or 0) / lab.goodput_bps() - 1) for way in ways)
            late_ms = (record.latency.idle.rtt_median_ms or 0) - rtt_ms
            part = sum(way.bytes_count or 0 for way in ways) / (lab.goodput_bps() / 8 * FULL_TEST_S)
            assert late_ms >= 0
            tries.append((error, late_ms, part, record.device))
            if error <= 0.05 and late_ms <= 5 and (loss > 0 or part <= 0.3):
                return
        pytest.fail(f"error, milliseconds late, part of a full test, device: {tries}")


def test_a_shaper_with_a_deep_bucket_is_not_believed() -> None:
    """Half a second of credit passes at the speed of the wire; it is not the line's rate."""
    with line(40e6, burst_ms=500) as lab:
        url = start_peer(lab)
        for _ in range(3):
            record = measure(lab, url, "--only", "downlink")
            assert record.throughput is not None
            result = record.throughput.downlink
            assert result is not None
            error = abs((result.goodput_bps or 0) / lab.goodput_bps() - 1)
            if error <= 0.05:
                break
        assert error <= 0.05


@pytest.mark.skipif(not REQUIRED and shutil.which("iperf3") is None, reason="iperf3 is not installed")
def test_other_traffic_is_seen() -> None:
    with line(50e6, 10) as lab:
        url = start_peer(lab)
        lab.start("peer", ["iperf3", "-s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lab, 5201)
        other = ["iperf3", "-c", lab.peer_address, "-u", "-b", "15M", "-R", "-t", "30"]
        lab.start("probe", other, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        record = measure(lab, url, "--only", "downlink")
    assert record.device is not None
    assert record.throughput is not None
    assert record.throughput.downlink is not None
    assert (record.device.cross_traffic_bytes or 0) > 0.1 * (record.throughput.downlink.bytes_count or 0)
    assert record.device.limited_by in (LimitedBy.CROSS_TRAFFIC, LimitedBy.PROBE_CPU)  # a busy machine says the latter


def test_memory_stays_small() -> None:
    code = (
        "from probe.target import *; from probe.cycle import *;"
        "record = run_cycle(parse(__import__('sys').argv[1]), Cycle(probe_id='p', idle_s=0.3));"
        "assert record.outcome.status == 'complete', record.outcome;"
        # not getrusage: its peak is inherited from the process that started this one
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    with line(1000e6) as lab:
        url = start_peer(lab)
        kilobytes = int(lab.run("probe", [sys.executable, "-c", code, url]))
    assert kilobytes < 60_000
