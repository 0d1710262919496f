"""The near end of the throughput benchmark: run in a namespace, prints one JSON line a measurement."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace

from measurement.vocabulary import LimitedBy
from probe.limits.cpu import CpuMeter
from probe.limits.judge import Evidence, judge
from probe.target import parse, resolve
from probe.throughput.http import measure
from probe.throughput.plan import Direction, Plan

TRIES = 4
PLANS = {
    "early": Plan(),
    "full": Plan(is_thorough=True),
    # For loopback: in ten seconds the peer's hourly allowance of bytes would be gone.
    "brief": Plan(is_thorough=True, duration_s=4.0, pretest_s=0.5),
}


def peak_kilobytes() -> int:
    """Return the most memory this process had resident."""
    with open("/proc/self/status") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmHWM")))


def once(url: str, direction: str, plan: Plan, tries_at_most: int) -> dict[str, object]:
    """Measure once; a run of which the probe says that its processor held it (`limited_by`) is repeated."""
    target = resolve(parse(url))
    tries = 0
    for _ in range(tries_at_most):
        tries += 1
        meter, cpu, wall = CpuMeter(), time.process_time(), time.monotonic()
        measured = measure(Direction(direction), target, plan, lambda progress: None)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        result = measured.result
        if measured.failure is not None or result is None:
            raise SystemExit(f"{direction}: {measured.failure}")
        # That others fill the machine is no matter where the lab goes before them (`ahead`).
        use = meter.lap()._replace(machine=None)
        seen = Evidence(goodput_bps=result.goodput_bps, starved_ratio=measured.starved_ratio, cpu=use)
        is_held = judge(seen) is LimitedBy.PROBE_CPU
        if not is_held:
            break
    return {
        "direction": direction,
        "goodput_bps": result.goodput_bps,
        "low_bps": result.low_bps,
        "high_bps": result.high_bps,
        "bytes": result.bytes_count,
        "stop": result.stop_reason,
        "cpu_s": cpu,
        "wall_s": wall,
        "tries": tries,
        "starved": measured.starved_ratio,
        "stolen": use.stolen,
        "held": is_held,
        "peak_kb": peak_kilobytes(),
    }


def main() -> None:
    """Arguments: URL, repetitions, a key of PLANS, directions, streams (0: by the pre-test), core (-1: any)."""
    url, count, kind, directions, streams, core = sys.argv[1:7]
    if int(core) >= 0:
        os.sched_setaffinity(0, {int(core)})
    plan = replace(PLANS[kind], stream_count=int(streams) or None)
    tries_at_most = 1 if int(core) >= 0 else TRIES  # who fills a core on purpose is held by it
    for _ in range(int(count)):
        for direction in directions.split(","):
            print(json.dumps(once(url, direction, plan, tries_at_most)), flush=True)


if __name__ == "__main__":
    main()
