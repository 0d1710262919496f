"""What must survive: kills of every part, a database that is away or slow, a torn journal, a full disk, wild clocks."""

import http.client
import random
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from archive.layout import CATALOGUE
from measurement.identity import uuid7
from tests.archive.sample import record, records
from tests.collector.running import Running
from tests.faults import storm
from tests.servers.found import found
from tests.servers.influxd import own_influxd

__all__ = ["own_influxd"]


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_storm_loses_nothing_and_doubles_nothing(tmp_path):
    found("influxd")
    books = storm.run(tmp_path, kills=15, seed=20261122)
    assert books.kept > 100
    assert sum(books.kills.values()) == 15
    assert (books.lost, books.doubled, books.lost_in_influxdb, books.doubled_in_influxdb) == (0, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_influxdb_that_is_down_for_an_hour_of_traffic_is_given_all_of_it(tmp_path, own_influxd):
    """250 probes at a test every 75 s are 12,000 records an hour, sent here as fast as they are taken."""
    blown = storm.Storm(tmp_path, own_influxd, seed=5)
    token = blown.collector.token("probe-1")
    try:
        blown.collector.start()
        first = records(500, seed=1)
        assert blown.collector.post(first, token).status == 202
        blown.drain()
        own_influxd.kill()
        for seed in range(2, 26):
            assert blown.collector.post(records(500, seed=seed), token).status == 202
        metrics = blown.collector.metrics()
        assert metrics["haidang_records_new_total"] == 12_500
        assert metrics['haidang_sink_lag_records{sink="influx"}'] > 0
        blown.collector.kill()  # and the collector in the midst of it
        own_influxd.restart()
        blown.collector.start()
        blown.drain()
        blown.collector.stop()
        points = blown.points()
        assert sorted(points) == blown.collector.stored()
        assert len(points) == 12_500
    finally:
        blown.stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_frozen_influxdb_delays_nobody(tmp_path, own_influxd):
    blown = storm.Storm(tmp_path, own_influxd, seed=3)
    try:
        token, noise = blown.collector.token("aside"), random.Random(1)
        blown.start()
        own_influxd.process.pause()
        for _ in range(20):
            made = msgspec.structs.replace(record(noise), probe_id="aside")
            assert blown.collector.post([made], token).status == 202
        own_influxd.process.resume()
        books = blown.calm()
    finally:
        own_influxd.process.resume()
        blown.stop()
    assert books.lost == books.doubled == books.lost_in_influxdb == books.doubled_in_influxdb == 0
    assert books.stored == books.kept + 20


def test_a_torn_page_at_the_journals_end_costs_nothing_acknowledged(tmp_path):
    running, noise = Running(tmp_path / "a", "--seal-every", "3600"), random.Random(7)
    token = running.token("probe-1")
    acknowledged: set[str] = set()
    for garbage in (b"\0" * 5000, random.Random(2).randbytes(9000)):
        running.start()
        for _ in range(5):
            reply = running.post([record(noise) for _ in range(20)], token)
            acknowledged.update(reply.json["accepted"])
        running.kill()
        log = running.folder / f"{CATALOGUE}-wal"
        with log.open("ab") as stream:  # what a power cut in the midst of the next write leaves
            stream.write(garbage)
    running.start()
    assert running.stop() == 0
    assert running.stored() == sorted(acknowledged)
    assert len(acknowledged) == 200


def test_clocks_that_jump_change_no_identity(tmp_path):
    noise = random.Random(11)
    running = Running(tmp_path / "a")
    token = running.token("probe-1")
    with running:
        sent = []
        for days in (-9000, -30, 0, 400, 9000):
            at = datetime.now(UTC) + timedelta(days=days)
            made = msgspec.structs.replace(
                record(noise), record_id=uuid7(int(at.timestamp() * 1000), noise.randbytes(10)), started_at=at
            )
            sent.append(made)
        replies = [running.post(sent, token), running.post(sent[::-1], token)]
        accepted = [set(reply.json["accepted"]) for reply in replies]
        assert accepted[0] == accepted[1]
        metrics = running.metrics()
    stored = running.stored()
    assert stored == sorted(accepted[0])
    assert metrics["haidang_records_duplicate_total"] == len(stored)


@pytest.mark.root
def test_a_full_disk_refuses_with_retry_and_keeps_what_it_acknowledged(tmp_path):
    volume = tmp_path / "small"
    volume.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", volume], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs root to mount a small volume")
    try:
        _fill(volume)
    finally:
        subprocess.run(["umount", "-l", volume], check=True)


def _fill(volume: Path) -> None:
    config = volume.parent / "small.toml"
    config.write_text("[limits]\nfree_bytes = 4000000\n")
    running, noise = Running(volume / "a", "--config", str(config), "--seal-every", "1"), random.Random(5)
    token = running.token("probe-1")
    running.start()
    acknowledged: set[str] = set()
    refused, deadline = None, time.monotonic() + 90
    while refused is None and time.monotonic() < deadline:
        try:
            reply = running.post([record(noise) for _ in range(200)], token)
        except (OSError, http.client.HTTPException):
            continue
        if reply.status == 202:
            acknowledged.update(reply.json["accepted"])
        elif reply.status == 503:
            refused = reply
    assert refused is not None, "the disk never filled"
    assert int(refused.headers["retry-after"]) > 0
    assert running.stop() == 0
    assert running.stored() == sorted(acknowledged)
