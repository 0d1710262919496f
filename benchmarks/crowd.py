"""Many real probes at one peer over one shaped line: is it shared fairly, is everybody served? Needs root and Linux.

python -m benchmarks.crowd
"""

from __future__ import annotations

import functools
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks import Row
from measurement.vocabulary import Failure
from probe.target import parse, resolve
from probe.throughput.http import measure
from probe.throughput.plan import Direction, Plan
from tests.lab.line import Lab, line, missing
from tests.lab.run_peer import start_peer

TOPIC = "crowd"
RATE_BPS, RTT_MS = 100e6, 20.0
TOGETHER, WAITING = 8, 16
FAIR, OVERLAP_S = 0.9, (3.0, 9.0)
PATIENCE_S = 90.0
Told = dict[str, Any]


def probe(url: str, source: str, start_at: float, is_thorough: bool) -> None:
    """Be one probe: measure the downlink from an address, come back as often as the peer asks; print the figures."""
    socket.create_connection = functools.partial(socket.create_connection, source_address=(source, 0))  # type: ignore[assignment]
    target, busy = resolve(parse(url)), 0
    time.sleep(max(0.0, start_at - time.time()))
    began = time.time()
    while True:
        plan = Plan(is_thorough=is_thorough, stream_count=3 if is_thorough else None)
        measured = measure(Direction.DOWNLINK, target, plan, lambda progress: None)
        if measured.failure is None or time.time() - began > PATIENCE_S:
            break
        if measured.failure.failure is not Failure.SERVER_BUSY:
            raise SystemExit(str(measured.failure))
        busy += 1
        time.sleep(random.uniform(0.5, 4.0))
    result = measured.result
    assert result is not None
    print(json.dumps({"busy": busy, "seconds": time.time() - began, "bps": result.goodput_bps,
                      "low_bps": result.low_bps, "high_bps": result.high_bps,
                      "slices": result.slices_bytes, "warm_ms": result.warmup_ms}))  # fmt: skip


def crowd(lab: Lab, url: str, sources: list[str], is_thorough: bool) -> list[Told]:
    """Start a probe on each address at one time; return what they say."""
    start_at = time.time() + 0.4 * len(sources)
    words = [sys.executable, "-m", "benchmarks.crowd", "probe", url]
    running = [
        lab.start("probe", [*words, source, str(start_at), str(int(is_thorough))], stdout=subprocess.PIPE)
        for source in sources
    ]
    return [json.loads(process.communicate(timeout=150)[0]) for process in running]


def shared() -> list[float]:
    """Return the rates of probes with an address each, over the seconds in which all of them were under way."""
    with line(RATE_BPS, RTT_MS) as lab:
        url, sources = start_peer(lab), [f"198.18.0.{10 + number}" for number in range(TOGETHER)]
        for source in sources:
            lab.run("probe", ["ip", "address", "add", f"{source}/24", "dev", "line0"])
        told = crowd(lab, url, sources, is_thorough=True)
    rates = []
    for one in told:
        first, last = (round((edge - one["warm_ms"] / 1000) / 0.05) for edge in OVERLAP_S)
        part = one["slices"][max(0, first) : last]
        rates.append(statistics.mean(part) * 8 / 0.05)
    return rates


def run() -> list[Row]:
    """Run both crowds."""
    if (why := missing()) is not None:
        raise RuntimeError(why)
    rates = shared()
    fairness = sum(rates) ** 2 / (len(rates) * sum(rate**2 for rate in rates))
    with line(RATE_BPS, RTT_MS) as lab:
        truth_bps = lab.goodput_bps()
        told = crowd(lab, start_peer(lab), [lab.probe_address] * WAITING, is_thorough=False)
    note = (
        f"the line carried {sum(rates) / truth_bps:.1%} of what it can; "
        f"{min(rates) / 1e6:.1f} to {max(rates) / 1e6:.1f} Mbit/s, a fair share is {truth_bps / TOGETHER / 1e6:.1f}"
    )
    what = f"{TOGETHER} probes at one time over a line of 100 Mbit/s, RTT 20 ms: Jain's index of their rates"
    rows = [Row(TOPIC, what, f"≥ {FAIR}", f"{fairness:.3f}", note)]
    served, busy = sum(one["bps"] is not None for one in told), sum(one["busy"] for one in told)
    longest = max(one["seconds"] for one in told)
    shares = statistics.median(one["bps"] for one in told if one["bps"]) / truth_bps
    what = f"{WAITING} probes of one address at one time, the peer's own limits (4 tests at one time)"
    measured = f"{served} of {WAITING} measured, the last after {longest:.0f} s"
    note = f"{busy} times one was told to come back; the median probe saw {shares:.0%} of the line"
    return [*rows, Row(TOPIC, what, f"all {WAITING} measured", measured, note)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["probe"]:
        probe(sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5] == "1")
    else:
        for row in run():
            print(f"{row.what}: {row.measured} (to reach {row.reach}; {row.ratio_note})")
