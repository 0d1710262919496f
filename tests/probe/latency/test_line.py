"""Round trips and loss on a line of known truth, from the other side of two network namespaces."""

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.line import Lab, line, require

REFLECT = """
import time
from probe.latency.stamp import Reflector
Reflector("", 8620, packets_per_s=5000).start()
print("ready", flush=True)
time.sleep(600)
"""
MEASURE = """
import json, random, sys
from measurement.vocabulary import LatencyMethod
from probe.latency import EchoPlan, Endpoint, echo
plan = EchoPlan(count=int(sys.argv[2]), interval_s=float(sys.argv[3]), timeout_s=1, rng=random.Random(1))
result = echo(LatencyMethod.STAMP, Endpoint(sys.argv[1], 8620), plan)
print(json.dumps({name: getattr(result, name) for name in result.__struct_fields__}))
"""


@contextmanager
def reflected(**truth: float) -> Iterator[Lab]:
    require()
    with line(**truth) as lab:
        reflector = lab.start("peer", [sys.executable, "-c", REFLECT], stdout=subprocess.PIPE)
        assert reflector.stdout.readline() == b"ready\n"
        yield lab


def measured(lab: Lab, count: int, interval_s: float) -> dict[str, float]:
    words = [sys.executable, "-c", MEASURE, lab.peer_address, str(count), str(interval_s)]
    return json.loads(lab.run("probe", words))


@pytest.mark.root
def test_the_round_trip_is_no_longer_than_pings() -> None:
    with reflected() as lab:
        ours = min(measured(lab, 150, 0.01)["rtt_median_ms"] for _ in range(3))
        printed = lab.run("probe", ["ping", "-c", "150", "-i", "0.01", lab.peer_address])
    theirs = statistics.median(float(text) for text in re.findall(r"time=([\d.]+) ms", printed))
    assert 0.001 < ours < theirs + 0.03


@pytest.mark.root
def test_a_known_delay_is_found() -> None:
    with reflected(rtt_ms=30) as lab:
        found = measured(lab, 100, 0.01)
    assert 30 <= found["rtt_min_ms"] < 32
    assert 30 <= found["rtt_median_ms"] < 45  # the relay is a program and waits for the processor as others do


@pytest.mark.root
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_a_known_loss_is_found_in_each_direction(share: float) -> None:
    with reflected(loss=share) as lab:
        found = measured(lab, 2000, 0.003)
    # Four standard deviations: a right instrument fails once in ten thousand runs.
    slack = 4 * (share * (1 - share) / 1900) ** 0.5
    assert found["loss_uplink_ratio"] == pytest.approx(share, abs=slack)
    assert found["loss_downlink_ratio"] == pytest.approx(share, abs=slack)
    assert found["received_count"] == round(2000 * (1 - found["loss_ratio"]))
