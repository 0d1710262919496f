"""The whole path, once: measure, collect, rate, draw. Everything it starts it stops.

Real throughput and latency tests run over real sockets on this machine; beside them stands a simulated Hải Phòng, so
that there is a city to look at. Everything simulated says so.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUT = HERE / "out"
ARCHIVE = OUT / "archive"
SITE = OUT / "site"
LOGS = OUT / "logs"
SUMMARY = HERE / "summary.json"
BIN = Path(sys.executable).parent
SIMULATED_RECORDS = 60_000
TESTS = 3
START = time.monotonic()


def say(text: str) -> None:
    """Print one line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - START:5.1f} s] {text}", flush=True)


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(name: str, *arguments: str | Path, capture: bool = False) -> str:
    """Run one of our commands to its end; show its output when it fails."""
    command = [str(BIN / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=capture, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} {arguments[0]} failed ({done.returncode}).\n{(done.stderr or '')[-2000:]}")
    return done.stdout or ""


@contextmanager
def service(name: str, *arguments: str | Path) -> Iterator[None]:
    """Run one of our services while the block lasts."""
    log = LOGS / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([BIN / name, *map(str, arguments)], stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
            if process.poll() is not None:
                sys.exit(f"{name} ended by itself; see {log}.\n{log.read_text()[-2000:]}")
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(url: str, seconds: float = 30) -> None:
    """Wait until a URL answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"Nothing answers at {url} after {seconds:.0f} s; the logs are in {LOGS}.")
            time.sleep(0.1)


def token(name: str, role: str) -> Path:
    """Make a token at the collector and keep it in a file that only its owner reads."""
    path = OUT / f"{name}.token"
    made = json.loads(
        run("haidang-collector", "token", "add", name, "--role", role, "--archive", ARCHIVE, "--json", capture=True)
    )
    path.touch(mode=0o600)
    path.write_text(made["token"])
    return path


def measured() -> dict[str, Any]:
    """Read from the archive what was measured and what is simulated."""
    import polars as pl

    from archive.store import Archive

    columns = [
        "is_simulated",
        "throughput_downlink_goodput_bps",
        "throughput_uplink_goodput_bps",
        "latency_idle_rtt_median_ms",
        "latency_downlink_rtt_median_ms",
    ]
    with Archive(ARCHIVE) as archive:
        snapshot = archive.snapshot()
        table = pl.concat([snapshot.frame(day, columns) for day in snapshot.days])
        areas, stations = archive.read_result("area_ratings"), archive.read_result("bts_ratings")
    real = table.filter(~pl.col("is_simulated"))
    known = ("rated", "provisional")
    if areas is None or stations is None:
        sys.exit("The analysis wrote no ratings.")
    return {
        "records": {"kept": table.height, "measured": real.height, "simulated": table.height - real.height},
        "measured": {name: real[name].median() for name in columns[1:]},
        "areas_rated": areas.filter(pl.col("status").is_in(known)).select("layer", "area").n_unique(),
        "base_stations_rated": stations.filter(pl.col("status").is_in(known))["base_station"].n_unique(),
    }


def main() -> None:
    """Run the demonstration."""
    shutil.rmtree(OUT, ignore_errors=True)
    LOGS.mkdir(parents=True)
    SITE.mkdir()
    os.environ["PYTHONUNBUFFERED"] = "1"
    peer_port, collector_port = free_port(), free_port()
    peer, collector = f"http://127.0.0.1:{peer_port}", f"http://127.0.0.1:{collector_port}"
    # The registry and the areas come first: what arrives is placed by them.
    run("haidang-simulation", "city", "--records", "0", "--seed", "1", "--archive", ARCHIVE, "--quiet", capture=True)
    with ExitStack() as services:
        say("Starting a measurement peer and a collector …")
        services.enter_context(
            service("haidang-collector", "serve", "--archive", ARCHIVE, "--port", str(collector_port), "--site", SITE)
        )
        wait_for(f"{collector}/healthz")
        # The collector makes the secret that both share: the peer signs what a browser measured with it.
        ticket = ("--ticket-key", ARCHIVE / "ticket.secret")
        services.enter_context(
            service("haidang-probe", "peer", "--host", "127.0.0.1", "--port", str(peer_port), *ticket)
        )
        wait_for(f"{peer}/v1/peer")
        say(f"Measuring: {TESTS} real tests over loopback sockets …")
        probe = token("demo-probe", "probe")
        # A field agent is thrifty by default; loopback costs nobody anything.
        (OUT / "probe.toml").write_text("[budget]\ntest_bytes = 6000000000\nday_bytes = 0\nmonth_bytes = 0\n")
        run(
            "haidang-probe", "run", "--peer", peer, "--collector", collector,
            "--token-file", probe, "--probe-id", "demo-probe",
            "--config", OUT / "probe.toml", "--spool", OUT / "spool.sqlite", "--count", str(TESTS), "--interval", "1",
        )  # fmt: skip
        say(f"Adding a simulated Hải Phòng: {SIMULATED_RECORDS:,} records through the same collector …")
        gateway = token("demo-simulation", "admin")
        run(
            "haidang-simulation", "city", "--records", str(SIMULATED_RECORDS), "--seed", "1",
            "--collector", collector, "--token-file", gateway,
        )  # fmt: skip
        say("Rating areas and base stations …")
        run("haidang-analysis", "rate", "--archive", ARCHIVE, "--json", capture=True)
        say("Drawing the map …")
        run("haidang-maps", "build", "--archive", ARCHIVE, "--out", SITE, "--peer-url", peer)
        wait_for(f"{collector}/index.html")
    summary = measured() | {
        "site": str((SITE / "index.html").relative_to(HERE.parent)),
        "seconds": round(time.monotonic() - START, 1),
    }
    SUMMARY.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    report(summary)


def report(summary: dict[str, Any]) -> None:
    """Say where the map is, what was measured, and how to look on."""
    figures, records = summary["measured"], summary["records"]
    print(
        f"""
Done in {summary["seconds"]:.0f} s.

  Measured, {records["measured"]} real tests on this machine's loopback:
    downlink   {figures["throughput_downlink_goodput_bps"] / 1e6:10,.0f} Mbit/s
    uplink     {figures["throughput_uplink_goodput_bps"] / 1e6:10,.0f} Mbit/s
    latency    {figures["latency_idle_rtt_median_ms"]:10.3f} ms idle
  Kept         {records["kept"]:10,} records, {records["simulated"]:,} of them simulated
  Rated        {summary["areas_rated"]:10,} areas and {summary["base_stations_rated"]:,} base stations (simulated)

  The map      {summary["site"]}   (open it in a browser; it needs no internet)
  The figures  demo/summary.json
  Look on      .venv/bin/haidang-analysis rate --archive demo/out/archive
               .venv/bin/haidang-collector serve --archive demo/out/archive --site demo/out/site
"""
    )


if __name__ == "__main__":
    main()
