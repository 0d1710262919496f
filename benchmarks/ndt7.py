"""ndt7 between every pair of ends on one shaped line: ours, M-Lab's server, M-Lab's Go client and browser library.

    python -m benchmarks.ndt7

Needs root (namespaces), M-Lab's programs (`.ci/servers/install`) and, for the browser, Chromium.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Row
from measurement.record import ThroughputResult
from probe.ndt7 import client
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.target import parse, resolve
from probe.throughput.plan import Direction, Plan
from tests.lab.line import Lab, line, missing
from tests.servers.found import located

TOPIC = "ndt7"
RATE_BPS, BROWSER_RATE_BPS, RTT_MS = 50e6, 20e6, 20.0
ROUNDS = 2
OURS, MLABS, PAGES = 8701, 8702, 8703
LIBRARY = Path("maps/assets/ndt7")
REACH = "within 5 % of our client with our peer"
WAYS = ("download", "upload")

PAGE = """<!doctype html><script src="ndt7.js"></script><script>
window.result = {};
ndt7.test(
  {userAcceptedDataPolicy: true, server: "%s", protocol: "ws",
   downloadworkerfile: "ndt7-download-worker.js", uploadworkerfile: "ndt7-upload-worker.js"},
  {downloadComplete: (d) => { window.result.download = d; }, uploadComplete: (d) => { window.result.upload = d; }},
).finally(() => { window.done = true; });
</script>"""

Rates = dict[str, float]
"""Mbit/s of each way."""


def serve() -> None:
    """Be the peer until killed."""
    Peer(PeerSettings(host="0.0.0.0", port=OURS, stamp_port=-1)).start()
    print("ready", flush=True)
    time.sleep(3600)


def measure(url: str) -> None:
    """Measure both ways with our client; print the rates and what they cost."""
    rates: Rates = {}
    for direction, way in zip(Direction, WAYS, strict=True):
        began = time.process_time()
        done = client.measure(direction, resolve(parse(url)), Plan(), lambda _: None)
        if not isinstance(done.result, ThroughputResult) or done.result.goodput_bps is None:
            raise SystemExit(f"{way} failed: {done.failure}")
        rates[way] = done.result.goodput_bps / 1e6
        rates[f"{way}_cpu"] = (time.process_time() - began) / (done.result.bytes_count or 1) * 1e9
    print(json.dumps(rates))


def ours(lab: Lab, port: int) -> Rates:
    """Measure with our client."""
    words = [sys.executable, "-m", "benchmarks.ndt7", "measure", f"http://{lab.peer_address}:{port}"]
    found: Rates = json.loads(lab.run("probe", words, timeout=60))
    return found


def go_client(lab: Lab, port: int, program: str) -> Rates:
    """Measure with M-Lab's Go client."""
    words = [program, "-format=json", "-scheme=ws", f"-server={lab.peer_address}:{port}"]
    summary = json.loads(lab.run("probe", words, timeout=60).splitlines()[-1])
    return {way: summary[way.capitalize()]["Throughput"]["Value"] for way in WAYS}


def browser(lab: Lab, port: int, folder: Path, program: str) -> Rates:
    """Measure with M-Lab's library in a browser at the probe's end, whose page comes over the line."""
    from playwright.sync_api import sync_playwright

    for path in LIBRARY.glob("*.js"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "index.html").write_text(PAGE % f"{lab.peer_address}:{port}")
    wrapper = folder / "chromium"
    wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {lab.namespace("probe")} {program} "$@"\n')
    wrapper.chmod(0o755)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(wrapper), args=["--no-sandbox"])
        page = running.new_page()
        page.goto(f"http://{lab.peer_address}:{PAGES}/index.html")
        page.wait_for_function("window.done === true", timeout=60_000)
        result = json.loads(page.evaluate("JSON.stringify(window.result)"))
        running.close()
    served = result["upload"]["LastServerMeasurement"]["TCPInfo"]
    return {
        "download": result["download"]["LastClientMeasurement"]["MeanClientMbps"],
        "upload": served["BytesReceived"] * 8 / served["ElapsedTime"],
    }


def start_servers(lab: Lab, folder: Path, ndt_server: str | None) -> None:
    """Start our peer, and M-Lab's server where it is there."""
    peer = lab.start("peer", [sys.executable, "-m", "benchmarks.ndt7", "serve"], stdout=subprocess.PIPE)
    assert peer.stdout is not None
    peer.stdout.readline()
    if ndt_server is None:
        return
    flags = {"ndt7_addr_cleartext": MLABS, "health_addr": 8704, "ndt5_addr": 8705, "ndt5_ws_addr": 8706}
    words = [ndt_server, *(f"-{name}=0.0.0.0:{port}" for name, port in flags.items())]
    words += [f"-datadir={folder}", f"-htmldir={folder}", "-prometheusx.listen-address=127.0.0.1:8707"]
    lab.start("peer", words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    time.sleep(2)


def row(name: str, way: str, rates: Rates, own: Rates, rate_bps: float) -> Row:
    """Tell one pair against ours."""
    off = rates[way] / own[way] - 1
    truth = f"ours {own[way]:.1f} Mbit/s on a line of {rate_bps / 1e6:.0f} Mbit/s, RTT {RTT_MS:.0f} ms"
    return Row(TOPIC, f"{name}, {way}", REACH, f"{rates[way]:.1f} Mbit/s ({off:+.1%})", truth)


def best(measure_once: Callable[[], Rates]) -> Rates:
    """Return the best of the rounds: the line bounds a rate from above, and a busy machine only takes away."""
    rounds = [measure_once() for _ in range(ROUNDS)]
    return {name: (min if name.endswith("_cpu") else max)(found[name] for found in rounds) for name in rounds[0]}


def pairs(folder: Path) -> list[Row]:
    """Run every pair on one line."""
    programs = {name: located(name) for name in ("ndt-server", "ndt7-client", "chromium")}
    absent = [name for name, path in programs.items() if path is None]
    rows = [Row(TOPIC, name, "", "not run", "the program is missing") for name in absent]
    server, program = programs["ndt-server"], programs["ndt7-client"]
    with line(RATE_BPS, RTT_MS) as lab:
        start_servers(lab, folder, None if server is None else str(server))
        own = best(lambda: ours(lab, OURS))
        found: dict[str, Rates] = {}
        if program is not None:
            found["M-Lab's Go client, our peer"] = best(lambda: go_client(lab, OURS, str(program)))
        if server is not None:
            found["our client, M-Lab's server"] = best(lambda: ours(lab, MLABS))
        if server is not None and program is not None:
            found["M-Lab's Go client, M-Lab's server"] = best(lambda: go_client(lab, MLABS, str(program)))
    for way in WAYS:
        off = f"{own[way] / lab.goodput_bps() * 1e6 - 1:+.1%} to what the line carries; slow start counts in ndt7"
        rows.append(Row(TOPIC, f"our client, our peer, {way}", "told", f"{own[way]:.1f} Mbit/s", off))
    rows += [row(name, way, rates, own, RATE_BPS) for name, rates in found.items() for way in WAYS]
    return rows + (in_browser(folder, str(programs["chromium"])) if programs["chromium"] is not None else [])


def in_browser(folder: Path, program: str) -> list[Row]:
    """Compare M-Lab's browser library with our client, on a line that a busy machine's browser can fill too."""
    with line(BROWSER_RATE_BPS, RTT_MS) as lab:
        start_servers(lab, folder, None)
        words = [sys.executable, "-m", "http.server", str(PAGES), "--directory", str(folder)]
        lab.start("peer", words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        own = best(lambda: ours(lab, OURS))
        found = best(lambda: browser(lab, OURS, folder, program))
    return [row("M-Lab's browser library, our peer", way, found, own, BROWSER_RATE_BPS) for way in WAYS]


def ceiling() -> list[Row]:
    """Compare what our client costs with what M-Lab's Go client does, on an unshaped line."""
    program = located("ndt7-client")
    if program is None:
        return []
    with line() as lab:
        start_servers(lab, Path(), None)
        own = best(lambda: ours(lab, OURS))
        began = os.times()
        theirs = best(lambda: go_client(lab, OURS, str(program)))
        used = os.times()
    spent = used.children_user + used.children_system - began.children_user - began.children_system
    carried = ROUNDS * (theirs["download"] + theirs["upload"]) * 10 / 8000
    mine = sum(own[f"{way}_cpu"] * own[way] for way in WAYS) / sum(own[way] for way in WAYS)
    rows = [
        Row(
            TOPIC,
            f"{way} without a limit, our client",
            "told",
            f"{own[way] / 1000:.1f} Gbit/s",
            f"{own[way] / theirs[way]:.1f} × M-Lab's Go client ({theirs[way] / 1000:.1f} Gbit/s), our peer both times",
        )
        for way in WAYS
    ]
    note = f"Go client {spent / carried:.2f} s/GB"
    return [*rows, Row(TOPIC, "processor time of our client, both ways", "told", f"{mine:.2f} s/GB", note)]


def run() -> list[Row]:
    """Run all."""
    if (why := missing()) is not None:
        return [Row(TOPIC, "all", "", "not run", why)]
    with tempfile.TemporaryDirectory() as folder:
        return [*pairs(Path(folder)), *ceiling()]


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve()
    elif sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2])
    else:
        for told in run():
            print(f"{told.what}: {told.measured} (to reach: {told.reach}; {told.ratio_note})")
