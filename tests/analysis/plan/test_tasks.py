"""A plan posted to a real collector: the fixed probe at a stop and the drive that passes pick their tasks up."""

import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from analysis.cli import group
from archive.store import Archive
from collector.access import Role
from measurement.geography import BaseStation
from measurement.record import Position
from tests.analysis.plan.test_plan import LAYER
from tests.collector.running import Running
from tests.probe.records import record
from tests.servers.loopback import free_port

BIN = Path(sys.executable).parent
START = "106.60,20.80"
# The middles of two cells (H3, resolution 9): a plan offers the cells of base stations.
OFFICE, ROAD = (106.6116, 20.8098), (106.7101, 20.8094)
ROLES = {"office": Role.PROBE, "car": Role.PROBE, "admin": Role.ADMIN}
WAIT_S = 90.0


def secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def peer():
    port = free_port()
    line = [BIN / "haidang-probe", "peer", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def collector(tmp_path):
    folder = tmp_path / "archive"
    running = Running(folder)
    with Archive(folder) as archive:
        archive.set_layers([LAYER])
        archive.set_base_stations(
            [BaseStation(id=name, operator="Viettel", technology="lte", longitude_deg=x, latitude_deg=y)
             for name, (x, y) in (("s1", OFFICE), ("s2", ROAD))]
        )  # fmt: skip
    # Before the start: a collector that runs learns of tokens made beside it only after a while.
    tokens = {name: secret(tmp_path / name, running.token(name, role)) for name, role in ROLES.items()}
    with running:
        yield running, tokens


def log_along(path: Path, stops: pl.DataFrame) -> Path:
    """Write a drive as G-NetTrack would: 90 s to each stop, then on."""
    head = "Timestamp\tLongitude\tLatitude\tOperatorname\tOperator\tNode\tCellID\tLAC\tNetworkTech\tLevel\tQual\tSNR"
    lines, began = [head], datetime(2026, 5, 1, 8)
    for second in range(90 * (stops.height + 1)):
        at, part = divmod(second, 90)
        row = stops.row(min(at, stops.height - 1), named=True)
        x = row["longitude_deg"] + (part - 60) * 0.0001
        stamp = f"{began + timedelta(seconds=second):%Y.%m.%d_%H.%M.%S}"
        lines.append(f"{stamp}\t{x:.6f}\t{row['latitude_deg']:.6f}\tViettel\t45204\t1032\t1\t701\t4G\t-96\t-11\t8.0")
    path.write_text("\n".join(lines) + "\n")
    return path


def campaigns(folder: Path) -> dict[str, list[str]]:
    """Return the campaigns of each probe's records."""
    with Archive(folder) as archive, archive.snapshot() as snapshot:
        rows = pl.concat([snapshot.frame(day, ["probe_id", "campaign"]) for day in snapshot.days]).drop_nulls()
    return {probe: part["campaign"].to_list() for (probe,), part in rows.group_by("probe_id")}


def test_fixed_probes_and_drives_pick_their_tasks_up(tmp_path, collector, peer):
    collector, tokens = collector
    url = f"http://127.0.0.1:{collector.port}"
    office = Position(longitude_deg=OFFICE[0], latitude_deg=OFFICE[1], accuracy_m=5.0)
    seen = record(1, started_at=datetime.now(UTC) - timedelta(hours=1), probe_id="office", position=office)
    assert collector.post([seen], tokens["office"].read_text()).status == 202
    planned = CliRunner().invoke(
        group,
        ["plan", "--archive", str(collector.folder), "--from", START, "--tests", "12", "--tasks", url, "--token-file",
         str(tokens["admin"]), "--probe", "car"],
        catch_exceptions=False,
    )  # fmt: skip
    assert planned.exit_code == 0, planned.output
    with Archive(collector.folder) as archive:
        plan = archive.read_result("plan")
    listed = {
        name: collector.call("GET", "/v1/tasks", token=tokens[name].read_text()).json["tasks"]
        for name in ("office", "car")
    }
    assert len(listed["office"]) >= 1
    assert len(listed["office"]) + len(listed["car"]) == plan.height
    config = tmp_path / "probe.toml"
    config.write_text(
        f'peers = ["{peer}"]\nprobe_id = "office"\ncollector = "{url}"\ntoken_file = "{tokens["office"]}"\n'
        f'[spool]\npath = "{tmp_path}/office.sqlite"\n[schedule]\nquiet_bps = 0\n[budget]\ntest_bytes = 1000000\n'
        f'[position]\nsource = "fixed"\nlongitude_deg = {OFFICE[0]}\nlatitude_deg = {OFFICE[1]}\n'
    )
    fixed = subprocess.Popen([BIN / "haidang-probe", "run", "--config", config], stderr=subprocess.DEVNULL)
    try:
        stops = plan.filter(~pl.col("target").is_in([t["id"].split("-")[-1] for t in listed["office"]]))
        line = [
            BIN / "haidang-probe", "drive", "--peer", peer, "--collector", url, "--token-file", tokens["car"],
            "--probe-id", "car", "--spool", tmp_path / "car.sqlite", "--out", tmp_path / "drives", "--quiet",
            "--replay", log_along(tmp_path / "log.txt", stops.head(2)), "--replay-speed", 20, "--duration", 270,
            "--cycle", 3600, "--test-bytes", 1000000,
        ]  # fmt: skip
        drive = subprocess.run(list(map(str, line)), capture_output=True, text=True, timeout=WAIT_S, env=os.environ)
        assert drive.returncode == 0, drive.stderr
        until = time.monotonic() + WAIT_S
        while "office" not in campaigns(collector.folder) and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        fixed.terminate()
        fixed.wait(30)
    found, campaign = campaigns(collector.folder), listed["car"][0]["campaign"]
    assert found["office"][0] == campaign
    assert found["car"].count(campaign) == 2
    assert drive.stderr.count("stop plan-") == 2
