"""Twenty minutes of a real log, time compressed and marked simulated, against a collector that is killed twice."""

import subprocess
import time
from pathlib import Path

import pytest

from archive.store import Archive
from probe.drive.logbook import Logbook
from probe.spool.spool import Spool
from tests.probe.report.test_collector import BIN, Collector, enrolled
from tests.servers.loopback import free_port

LOG = Path(__file__).parents[3] / ".." / "shared" / "data" / "gnettrack_dakar" / "raw_logs" / "Yas_log.txt"
SPEED = 30
MINUTES = 20


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_counts_are_equal_at_both_ends(tmp_path):
    if not LOG.is_file():
        pytest.skip("the log is not in ../shared/data/gnettrack_dakar")
    collector, port = Collector(tmp_path / "archive"), free_port()
    collector.start()
    token = enrolled(collector, tmp_path, "drive-1")
    peer = subprocess.Popen(
        [BIN / "haidang-probe", "peer", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    spool, drives = tmp_path / "spool.sqlite", tmp_path / "drives"
    common = [
        "--peer",
        f"http://127.0.0.1:{port}",
        "--collector",
        collector.url,
        "--token-file",
        token,
        "--spool",
        spool,
    ]
    replay = ["--replay", LOG, "--replay-speed", SPEED, "--duration", 60 * MINUTES, "--cycle", 120, "--quiet"]
    line = [BIN / "haidang-probe", "drive", *common, "--out", drives, "--name", "replay", *replay]
    driving = subprocess.Popen(list(map(str, line)), stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(2):
            time.sleep(60 * MINUTES / SPEED / 4)
            collector.kill()
            time.sleep(2)
            collector.start()
        _, told = driving.communicate(timeout=300)
        assert driving.returncode == 0, told
        again = subprocess.run(
            [str(part) for part in (BIN / "haidang-probe", "spool", "--spool", spool)], capture_output=True, text=True
        )
        assert "refused       0" in again.stdout
        with Spool(spool) as kept:
            waiting, counters = kept.depth().waiting_count, kept.counters()
        (drive,) = drives.glob("*.drive")
        with Logbook(drive) as logbook:
            results = {result.record_id for result in logbook.results()}
            seconds = logbook.counts()["points"]
    finally:
        driving.kill()
        driving.wait()
        peer.terminate()
        peer.wait()
        collector.kill()
    assert waiting == 0, told
    assert counters["kept"] == counters["acknowledged"] == len(results)
    ids = collector.record_ids()
    assert len(ids) == len(set(ids))
    assert set(ids) == results
    assert seconds >= 60 * MINUTES * 0.5
    assert len(results) >= 20
    with Archive(collector.folder) as archive:
        snapshot = archive.snapshot()
        frames = [snapshot.frame(day, ["is_simulated", "mode", "network_operator"]) for day in snapshot.days]
    assert {row for frame in frames for row in frame.select("is_simulated", "mode").rows()} == {(True, "drive")}
