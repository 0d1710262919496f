"""The lab tells the truth about itself: its round trip by ping, its rate by iperf3, its loss by counting."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.line import PAYLOAD_SHARE, ahead, line, require
from tests.lab.run_peer import wait_for

pytestmark = pytest.mark.root

REQUIRED = "HAIDANG_REQUIRE_SERVERS" in os.environ


@pytest.fixture(autouse=True)
def _needs_the_lab() -> Iterator[None]:
    require()
    with ahead():
        yield


@pytest.mark.skipif(not REQUIRED and shutil.which("ping") is None, reason="ping is not installed")
def test_round_trip_by_ping() -> None:
    with line(rtt_ms=30) as lab:
        said = lab.run("probe", ["ping", "-q", "-c", "40", "-i", "0.02", lab.peer_address])
    least = float(re.search(r"= ([\d.]+)/", said).group(1))  # type: ignore[union-attr]
    assert 30.0 <= least <= 34.0  # the machine's other work may hold every packet a little


@pytest.mark.skipif(not REQUIRED and shutil.which("ping") is None, reason="ping is not installed")
def test_loss_by_ping() -> None:
    with line(loss=0.2) as lab:
        said = lab.run("probe", ["sh", "-c", f"ping -q -f -c 1000 -W 1 {lab.peer_address} || true"])
    lost = float(re.search(r"([\d.]+)% packet loss", said).group(1)) / 100  # type: ignore[union-attr]
    assert lost == pytest.approx(1 - 0.8**2, abs=0.06)  # the echo and its reply


@pytest.mark.skipif(not REQUIRED and shutil.which("iperf3") is None, reason="iperf3 is not installed")
def test_rate_by_iperf3() -> None:
    with line(100e6) as lab:
        lab.start("peer", ["iperf3", "-s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lab, 5201)
        # That the shaper shapes, told by another tool; benchmarks.throughput holds the lab to a percent.
        errors: list[float] = []
        while len(errors) < 3 and (not errors or errors[-1] > 0.12):
            said = lab.run("probe", ["iperf3", "-c", lab.peer_address, "-R", "-t", "2", "-O", "1", "-J"])
            received = json.loads(said)["end"]["sum_received"]["bits_per_second"]
            errors.append(abs(received / (100e6 * PAYLOAD_SHARE) - 1))
    assert errors[-1] <= 0.12, errors


def test_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HAIDANG_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="the lab needs ip"):
        require()
    monkeypatch.delenv("HAIDANG_REQUIRE_SERVERS")
    with pytest.raises(pytest.skip.Exception, match="the lab needs ip"):
        require()
