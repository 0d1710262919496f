"""Throughput against known truth: error, coverage, data used, ceiling against iperf3, memory. Needs root and Linux.

    HAIDANG_BENCH_KEPT=runs.jsonl python -m benchmarks throughput

goes on where a benchmark was stopped: lines that are in the file are not run again.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import Row
from tests.lab.line import Lab, ahead, line, missing
from tests.lab.run_peer import MAIN, start_peer

TOPIC = "throughput"
RATES_BPS = (5e6, 20e6, 50e6, 100e6, 300e6, 1000e6)
ROUND_TRIPS_MS = (0.0, 20.0, 50.0, 100.0)
LOSSES = (0.0, 0.001)
REPEATS = int(os.environ.get("HAIDANG_BENCH_REPEATS", "2"))
KEPT = os.environ.get("HAIDANG_BENCH_KEPT")
CEILING_ROUNDS = 5
Run = dict[str, Any]


class Shaped(NamedTuple):
    """A line to measure on, and how."""

    rate_bps: float
    rtt_ms: float
    loss: float = 0.0
    shaper: str = "tbf"
    kind: str = "early"


LINES = [Shaped(*values) for values in itertools.product(RATES_BPS, ROUND_TRIPS_MS, LOSSES)]
FIXED = [Shaped(rate, 20.0, kind="full") for rate in (50e6, 300e6)]
HTB = [Shaped(rate, rtt, shaper="htb") for rate in (20e6, 100e6, 300e6) for rtt in (0.0, 50.0)]


class Seen(NamedTuple):
    """One measurement and the truth of its line."""

    line: Shaped
    truth_bps: float
    run: Run

    @property
    def error(self) -> float:
        return float(self.run["goodput_bps"] / self.truth_bps - 1)

    @property
    def is_held(self) -> bool:
        return bool((self.run["low_bps"] or 0) <= self.truth_bps <= (self.run["high_bps"] or 0))

    @property
    def seconds_of_line(self) -> float:
        """Data used, as seconds of the line at its full rate."""
        return float(self.run["bytes"] * 8 / self.truth_bps)


def _end(
    url: str, count: int, kind: str = "early", ways: str = "downlink,uplink", streams: int = 0, core: int = -1
) -> list[str]:
    return [sys.executable, "-m", "benchmarks.throughput_end", url, str(count), kind, ways, str(streams), str(core)]


def _measure(lab: Lab, url: str, count: int, kind: str = "early") -> list[Run]:
    said = lab.run("probe", _end(url, count, kind), timeout=900)
    return [json.loads(text) for text in said.splitlines()]


def _kept() -> list[Seen]:
    """Return the runs that a benchmark before this one has kept."""
    if KEPT is None or not Path(KEPT).is_file():
        return []
    rows = [json.loads(text) for text in Path(KEPT).read_text("utf-8").splitlines()]
    return [Seen(Shaped(*shaped), truth_bps, run) for shaped, truth_bps, run in rows]


def on_line(shaped: Shaped, count: int) -> list[Seen]:
    """Measure on one line, both ways, unless it is kept already."""
    seen = [one for one in _kept() if one.line == shaped]
    if seen:
        return seen
    with line(shaped.rate_bps, shaped.rtt_ms, shaped.loss, shaper=shaped.shaper) as lab:
        runs = _measure(lab, start_peer(lab), count, shaped.kind)
        seen = [Seen(shaped, lab.goodput_bps(run["direction"]), run) for run in runs]
    worst = max(seen, key=lambda one: abs(one.error))
    told = f"{shaped.rate_bps / 1e6:g} Mbit/s ({shaped.shaper}), {shaped.rtt_ms:g} ms, loss {shaped.loss:g}"
    print(f"  {told}: worst {worst.error:+.2%} {worst.run['direction']}", file=sys.stderr, flush=True)
    if KEPT is not None:
        with Path(KEPT).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in seen)
    return seen


def _on_lines(lines: list[Shaped], count: int = REPEATS) -> list[Seen]:
    return [one for shaped in lines for one in on_line(shaped, count)]


def _errors(seen: list[Seen], what: str, note: str) -> Row:
    errors = sorted(abs(one.error) for one in seen)
    worst = max(seen, key=lambda one: abs(one.error)).line
    measured = (
        f"median {statistics.median(errors):.2%}, 95 % of runs ≤ {errors[int(0.95 * (len(errors) - 1))]:.2%}, "
        f"worst {errors[-1]:.2%}"
    )
    at = f"worst at {worst.rate_bps / 1e6:g} Mbit/s, {worst.rtt_ms:g} ms, loss {worst.loss:.1%}"
    beyond = f"{len(errors)} runs, {sum(error > 0.05 for error in errors)} beyond 5 %; {at}; {note}"
    return Row(TOPIC, what, "median ≤ 2 %, worst ≤ 5 %", measured, beyond)


def _accuracy(seen: list[Seen], behind_htb: list[Seen]) -> list[Row]:
    rows = []
    for way in ("downlink", "uplink"):
        part = [one for one in seen if one.run["direction"] == way]
        note = "5–1000 Mbit/s, RTT 0–100 ms, loss 0 and 0.1 %, tbf"
        rows.append(_errors(part, f"rate error against the shaped truth, {way}", note))
    note = "20–300 Mbit/s, RTT 0 and 50 ms"
    rows.append(_errors(behind_htb, "rate error against the shaped truth of htb, both ways", note))
    every = [*seen, *behind_htb]
    again, held_up = sum(one.run["tries"] - 1 for one in every), sum(one.run["held"] for one in every)
    what = "runs repeated because the probe said that its processor held it (`limited_by`)"
    rows.append(Row(TOPIC, what, "told", str(again), f"of {len(every) + again}; {held_up} stand though it said so"))
    held = sum(one.is_held for one in every)
    what, part_held = "coverage of low_bps…high_bps", f"{held} of {len(every)} runs"
    return [*rows, Row(TOPIC, what, "90–99 % of ≥ 60 runs", f"{held / len(every):.1%}", part_held)]


def _data(seen: list[Seen]) -> Row:
    fast = [one for one in seen if one.line.rate_bps >= 50e6 and one.line.loss == 0]
    fixed = _on_lines(FIXED, 1)
    early, full = (statistics.mean(one.seconds_of_line for one in part) for part in (fast, fixed))
    errors = [statistics.median(abs(one.error) for one in part) for part in (fast, fixed)]
    return Row(
        TOPIC,
        "bytes used against our own fixed 10 s + 10 s",
        "≤ 1/5 at ≥ 50 Mbit/s, steady lines",
        f"1/{full / early:.1f} ({early:.2f} s of the line against {full:.2f} s a direction)",
        f"median error {errors[0]:.2%} against {errors[1]:.2%}",
    )


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _iperf3(port: int) -> tuple[float, float]:
    """Return rate and CPU seconds a gigabyte of iperf3's receiving process."""
    command = ["taskset", "-c", "1", "iperf3", "-c", "127.0.0.1", "-p", str(port), "-R", "-t", "4", "-J"]
    for _ in range(20):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        time.sleep(0.2)
    end = json.loads(done.stdout)["end"]
    received = end["sum_received"]
    cpu_s = end["cpu_utilization_percent"]["host_total"] / 100 * received["seconds"]
    return received["bits_per_second"], cpu_s / (received["bytes"] / 1e9)


def _ceiling() -> list[Row]:
    peer = [sys.executable, "-c", MAIN, "peer", "--host", "127.0.0.1", "--port", "0"]
    pin = ["taskset", "-c", "0"]
    rates, costs, ours, theirs = [], [], [], []
    with _started(pin + peer) as process, _started([*pin, "iperf3", "-s", "-p", "15201"]):
        assert process.stderr is not None
        url = process.stderr.readline().removeprefix("peer: serving on ").split(",")[0].strip()
        for _ in range(CEILING_ROUNDS):
            done = subprocess.run(_end(url, 1, "brief", "downlink", 1, 1), capture_output=True, text=True, check=True)
            run = json.loads(done.stdout)
            rate, cost = _iperf3(15201)
            rates.append(run["goodput_bps"] / rate)
            costs.append(run["cpu_s"] / (run["bytes"] / 1e9) / cost)
            ours.append(run["goodput_bps"] / 1e9)
            theirs.append(rate / 1e9)
    measured = f"{statistics.median(rates):.2f} × at {statistics.median(costs):.2f} × its CPU a byte"
    both = f"{statistics.median(ours):.1f} against {statistics.median(theirs):.1f} Gbit/s"
    note = f"{both}, median of {CEILING_ROUNDS} rounds in turn"
    return [
        Row(
            TOPIC,
            "goodput ceiling, one stream, plain, loopback",
            "≥ 2 × iperf3's at ≤ 0.5 × its CPU a byte",
            measured,
            note,
        )
    ]


def run() -> list[Row]:
    """Run the lab's matrix, then the ceiling."""
    why = missing() or next((f"{p} is not installed" for p in ("iperf3", "taskset") if shutil.which(p) is None), None)
    if why is not None:
        raise RuntimeError(why)
    with ahead() as is_first:
        seen = _on_lines(LINES)
        rows = [*_accuracy(seen, _on_lines(HTB)), _data(seen), *_ceiling()]
    peak = max(one.run["peak_kb"] for one in seen if one.line.rate_bps >= 1000e6) / 1000
    rows.append(Row(TOPIC, "probe process during a 1 Gbit/s test", "≤ 60 MB resident", f"{peak:.0f} MB", "peak"))
    if is_first:
        rows.append(Row(TOPIC, "priority over the machine's other work", "–", "yes", "shared machine"))
    return rows


if __name__ == "__main__":
    for row in run():
        print(f"{row.what}: {row.measured} (to reach {row.reach}; {row.ratio_note})")
