"""Workers: the same judgement as without them, replaced when lost, gone with the collector."""

import os
import signal
import time
from pathlib import Path

import pytest

from collector.intake import IntakeError
from measurement.codec import encode
from tests.archive.sample import records
from tests.collector.running import Running, lines, zipped

GZIP = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}


def children(pid: int) -> list[int]:
    return [int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def running(tmp_path: Path):
    collector = Running(tmp_path / "a", "--workers", "2")
    collector.probe = collector.token("probe-1")  # type: ignore[attr-defined]
    with collector:
        yield collector


def post(running: Running, body: bytes) -> object:
    return running.call("POST", "/v1/records", token=running.probe, body=zipped(body), headers=GZIP)  # type: ignore[attr-defined]


def test_a_worker_says_what_the_collector_itself_would(running: Running) -> None:
    sent = records(300, seed=1)
    body = lines(sent) + b"\n{}\n" + encode(records(1, seed=2, probe_id="other")[0])
    before = children(running.pid)
    reply = post(running, body)
    assert len(children(running.pid)) > len(before), "a large body starts a worker"
    assert reply.status == 202
    assert reply.json["accepted"] == [r.record_id for r in sent]
    assert [(r["index"], r["path"]) for r in reply.json["rejected"]] == [(300, "$"), (301, "$.probe_id")]
    assert post(running, lines(sent)).json["duplicate_count"] == 300
    broken = running.call("POST", "/v1/records", token=running.probe, body=b"\x1f\x8b", headers=GZIP)  # type: ignore[attr-defined]
    assert (broken.status, broken.json["code"]) == (400, "encoding-broken")
    metrics = running.metrics()
    assert metrics["haidang_records_new_total"] == 300 == len(running.stored())


def test_a_lost_worker_is_replaced_and_nothing_is_lost(running: Running) -> None:
    before = set(children(running.pid))
    assert post(running, lines(records(50, seed=1))).status == 202
    for worker in set(children(running.pid)) - before:
        command = Path(f"/proc/{worker}/cmdline").read_bytes()
        if b"spawn_main" in command:
            os.kill(worker, signal.SIGKILL)
    sent = records(50, seed=2)
    statuses = []
    for _ in range(100):
        statuses.append(post(running, lines(sent)).status)
        if statuses[-1] == 202:
            break
        time.sleep(0.05)
    assert set(statuses) <= {202, 503}
    assert statuses[-1] == 202
    assert len(running.stored()) == 100


def test_no_process_outlives_a_killed_collector(running: Running) -> None:
    post(running, lines(records(50, seed=1)))
    ours = children(running.pid)
    assert len(ours) >= 2
    running.kill()
    deadline = time.monotonic() + 20
    while any(map(is_alive, ours)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in ours if is_alive(pid)]


def test_a_refused_body_crosses_processes_whole() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(IntakeError("body-too-large", "9 bytes")))
    assert (error.code, error.detail) == ("body-too-large", "9 bytes")
