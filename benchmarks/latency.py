"""Round trips and loss on a line of known truth, beside ping and irtt in the same run.

ping takes the kernel's time of an arrival, as our methods do. irtt reads the clock in the program, before it calls the
kernel to send and after the kernel has woken it, so that its figure holds its own send call; our portable path, that of
systems without kernel time, does the same. To compare like with like, irtt's packets are also timed as the kernel saw
them pass, less what irtt's server says that it took.

    python -m benchmarks.latency

Needs root: the line is two network namespaces joined by veth; loss is nftables' own, in both directions.
"""

from __future__ import annotations

import json
import re
import socket
import statistics
import struct
import subprocess
import sys
import time

from benchmarks import Row
from measurement.record import LatencyResult
from measurement.vocabulary import LatencyMethod
from probe.latency import EchoPlan, Endpoint, collect, kernel_time, summarise
from probe.latency.icmp import WAYS
from probe.latency.stamp import Reflector
from probe.latency.statistics import wilson_interval
from tests.lab.line import Lab, line, missing

TOPIC = "latency"
PORT, PORTABLE_PORT = 8620, 8621
COUNT, INTERVAL_S = 300, 0.01
ROUNDS = 5
LOSS_COUNT, LOSS_INTERVAL_S, LOSS_RUNS = 2000, 0.004, 4
KEY = b"a key for the benchmark, 32 byte"

IDLE = (
    ("stamp", "STAMP", "within 30 µs of ping's and irtt's", ("ping", "passing")),
    ("raw", "ICMP", "within 30 µs of ping's and irtt's", ("ping", "passing")),
    ("portable", "STAMP without kernel time", "told: what Python adds where the system gives no time", ("irtt",)),
    ("scapy", "ICMP by scapy", "told, not trusted", ("irtt",)),
)
"""Our method, its name, what to reach, and who reads the clock in the same place."""
TOOLS = {"ping": "ping", "irtt": "irtt as it tells", "passing": "irtt's packets as the kernel saw them"}
IRTT_PORT = 2112


def reflect(manner: str) -> None:
    """Serve as the other end until killed."""
    kernel_time.IS_LINUX = manner != "portable" and kernel_time.IS_LINUX
    key, port = KEY if manner == "sealed" else None, PORTABLE_PORT if manner == "portable" else PORT
    Reflector("", port, key=key, packets_per_s=5000).start()
    print("ready", flush=True)
    time.sleep(3600)


def start_reflector(lab: Lab, manner: str = "") -> None:
    """Start the other end and wait until it serves."""
    words = [sys.executable, "-m", "benchmarks.latency", "reflect", manner]
    reflector = lab.start("peer", words, stdout=subprocess.PIPE)
    assert reflector.stdout is not None
    reflector.stdout.readline()


def measure(method: str, host: str, count: int, interval_s: float) -> None:
    """Measure once and print the figures as JSON; `portable` reads the clock in the program, as other systems do."""
    kernel_time.IS_LINUX = method != "portable" and kernel_time.IS_LINUX
    port = PORTABLE_PORT if method == "portable" else PORT
    plan = EchoPlan(count=count, interval_s=interval_s, timeout_s=1)
    if method in WAYS:
        echoes = WAYS[method](Endpoint(host), plan, None)
    else:
        echoes = collect(LatencyMethod.STAMP, Endpoint(host, port, key=KEY if method == "sealed" else None), plan)
    result = summarise(echoes)
    print(json.dumps({name: getattr(result, name) for name in LatencyResult.__struct_fields__}))


def ours(lab: Lab, method: str, count: int = COUNT, interval_s: float = INTERVAL_S) -> dict[str, float]:
    """Measure from the probe's end."""
    words = [
        sys.executable,
        "-m",
        "benchmarks.latency",
        "measure",
        method,
        lab.peer_address,
        str(count),
        str(interval_s),
    ]
    found: dict[str, float] = json.loads(lab.run("probe", words))
    return found


def ping(lab: Lab) -> float:
    """Return the median of ping's round trips, in ms."""
    printed = lab.run("probe", ["ping", "-c", str(COUNT), "-i", str(INTERVAL_S), lab.peer_address])
    return statistics.median(float(text) for text in re.findall(r"time=([\d.]+) ms", printed))


def watch() -> None:
    """Print the time between each UDP packet to irtt's port and the next from it, in ns.

    Packets wait in the kernel, with its time, until a line comes on standard input: reading would cost irtt time.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003)) as sock:
        sock.bind(("line0", 0x0003))
        kernel_time.enable(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        print("ready", flush=True)
        sys.stdin.readline()
        sock.setblocking(False)
        left: int | None = None
        while True:
            try:
                packet = kernel_time.receive(sock, 64)
            except BlockingIOError:
                return
            ports = struct.unpack_from(">HH", packet.data, 20) if packet.data[9:10] == b"\x11" else (0, 0)
            if ports[1] == IRTT_PORT:
                left = packet.arrived_ns
            elif ports[0] == IRTT_PORT and left is not None and packet.arrived_ns is not None:
                print(packet.arrived_ns - left, flush=True)
                left = None


def irtt(lab: Lab) -> dict[str, float]:
    """Return the median of irtt's round trips as it tells them and as the kernel saw them pass, in ms."""
    words = [sys.executable, "-m", "benchmarks.latency", "watch"]
    watcher = lab.start("probe", words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert watcher.stdout is not None
    watcher.stdout.readline()
    duration = f"{int(COUNT * INTERVAL_S * 1000)}ms"
    printed = lab.run("probe", ["irtt", "client", "-i", "10ms", "-d", duration, "-Q", "-o", "-", lab.peer_address])
    report = json.loads(printed)
    passed = [int(text) for text in watcher.communicate(b"\n")[0].split()]
    trips = [trip for trip in report["round_trips"] if trip["lost"] == "false"]
    inside = statistics.median(
        trip["timestamps"]["server"]["send"]["monotonic"] - trip["timestamps"]["server"]["receive"]["monotonic"]
        for trip in trips
    )
    return {
        "irtt": statistics.median(trip["delay"]["rtt"] for trip in trips) / 1e6,
        "passing": (statistics.median(passed) - inside) / 1e6,
    }


def idle() -> list[Row]:
    """Compare idle round trips."""
    seen: dict[str, list[float]] = {}
    with line() as lab:
        start_reflector(lab)
        start_reflector(lab, "portable")
        lab.start("peer", ["irtt", "server", "-i", "0", "-b", lab.peer_address], stdout=subprocess.DEVNULL)
        time.sleep(1)
        for _ in range(ROUNDS):
            seen.setdefault("ping", []).append(ping(lab))
            for name, median in irtt(lab).items():
                seen.setdefault(name, []).append(median)
            for method, *_ in IDLE:
                seen.setdefault(method, []).append(ours(lab, method)["rtt_median_ms"])
    # Of each tool its quietest round: what another process took of the processor is no one's accuracy.
    us = {name: min(values) * 1000 for name, values in seen.items()}
    beside = "; ".join(f"{told} {us[tool]:.0f} µs" for tool, told in TOOLS.items())
    rows = []
    for method, name, reach, judges in IDLE:
        gaps = ", ".join(f"{us[method] - us[judge]:+.0f} µs to {TOOLS[judge]}" for judge in judges)
        what = f"idle round trip on veth, {name}, median"
        rows.append(Row(TOPIC, what, reach, f"{us[method]:.0f} µs", f"{gaps}. {beside}"))
    return rows


def sealed() -> list[Row]:
    """Compare authenticated with open STAMP."""
    medians = {}
    for method in ("stamp", "sealed"):
        with line() as lab:
            start_reflector(lab, method)
            medians[method] = min(ours(lab, method)["rtt_median_ms"] for _ in range(3)) * 1000
    measured = f"{medians['sealed'] - medians['stamp']:+.0f} µs"
    return [Row(TOPIC, "cost of authentication in the round trip", "told", measured, f"open {medians['stamp']:.0f} µs")]


def delayed() -> list[Row]:
    """Compare with ping on a line with a round trip of 40 ms."""
    with line(rtt_ms=40) as lab:
        start_reflector(lab)
        theirs, found = ping(lab), ours(lab, "stamp")["rtt_median_ms"]
    gap = f"{(found - theirs) * 1000:+.0f} µs to ping"
    return [
        Row(
            TOPIC, "round trip of 40 ms, STAMP, median", "told", f"{found:.2f} ms", f"{gap}, which gave {theirs:.2f} ms"
        )
    ]


def lossy(share: float) -> list[Row]:
    """See whether the interval of the loss holds the truth, in all and by direction."""
    inside = {"all": 0, "uplink": 0, "downlink": 0}
    told = []
    with line(loss=share) as lab:
        start_reflector(lab)
        for _ in range(LOSS_RUNS):
            found = ours(lab, "stamp", LOSS_COUNT, LOSS_INTERVAL_S)
            up, down = found["loss_uplink_ratio"], found["loss_downlink_ratio"]
            arrived = round(LOSS_COUNT * (1 - up))
            truths = {"all": 1 - (1 - share) ** 2, "uplink": share, "downlink": share}
            counts = {"all": LOSS_COUNT, "uplink": LOSS_COUNT, "downlink": arrived}
            for name, ratio in (("all", found["loss_ratio"]), ("uplink", up), ("downlink", down)):
                count = counts[name]
                low, high = wilson_interval(round(ratio * count), count)
                inside[name] += low <= truths[name] <= high
            told.append(f"{up:.2%}/{down:.2%}")
    measured = ", ".join(f"{name} {count} of {LOSS_RUNS}" for name, count in inside.items())
    note = f"up/down: {', '.join(told)}; {LOSS_COUNT} probes each"
    return [
        Row(
            TOPIC,
            f"true loss of {share:.0%} a direction inside its own 95 % interval",
            "≥ 95 % of runs",
            measured,
            note,
        )
    ]


def run() -> list[Row]:
    """Run all."""
    if (why := missing()) is not None:
        return [Row(TOPIC, "all", "", "not run", why)]
    return [*idle(), *sealed(), *delayed(), *lossy(0.01), *lossy(0.05)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["reflect"]:
        reflect(sys.argv[2])
    elif sys.argv[1:2] == ["watch"]:
        watch()
    elif sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
    else:
        for row in run():
            print(f"{row.what}: {row.measured} (to reach: {row.reach}; {row.ratio_note})")
