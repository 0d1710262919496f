"""What docs/operations.md tells, done: back up a running collector, restore, rotate tokens, TLS."""

import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec
import pytest

from archive.gathering import gather
from archive.store import Archive
from collector.access import Access
from tests.archive.sample import records
from tests.collector.running import Running
from tests.servers.certificate import certificate


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "collector", *words], capture_output=True, text=True, timeout=100)


@pytest.mark.timeout(300)
def test_backup_of_a_running_collector_is_restored_and_serves(tmp_path: Path) -> None:
    running = Running(tmp_path / "a", "--seal-every", "0.2")
    token = running.token("probe-1")
    first, second = records(30, seed=1), records(20, seed=2)
    with running:
        assert running.post(first, token).status == 202
        deadline = time.monotonic() + 30
        while running.metrics()["haidang_archive_records"] < 30 and time.monotonic() < deadline:
            time.sleep(0.2)
        done = command("backup", str(tmp_path / "b"), "--archive", str(tmp_path / "a"))
        assert done.returncode == 0, done.stderr
        assert "30 sealed records" in done.stdout
        assert running.post(second, token).status == 202
    proof = command("verify", "--archive", str(tmp_path / "b"))
    assert (proof.returncode, "whole" in proof.stdout) == (0, True)
    with Running(tmp_path / "b") as restored:
        # The probe sends again what it still holds: what the backup has counts once, the rest is new.
        reply = restored.post([*first, *second], token)
        assert reply.json["duplicate_count"] == 30
        assert len(restored.stored()) == 50


def test_a_broken_copy_is_told_and_exits_1(tmp_path: Path) -> None:
    with Archive(tmp_path / "a", create=True) as archive:
        (tmp_path / "a" / "segments" / "2026-05-01").mkdir()
        archive.connection.execute(
            "INSERT INTO segments (day, path, row_count, byte_count, sha256, created_at, first_sequence, last_sequence)"
            " VALUES ('2026-05-01', 'segments/2026-05-01/x.parquet', 1, 1, '', '', 1, 1)"
        )
    done = command("verify", "--archive", str(tmp_path / "a"))
    assert done.returncode == 1
    assert "segments/2026-05-01/x.parquet: missing" in done.stderr


def test_tokens_are_made_listed_and_revoked_from_the_shell(tmp_path: Path) -> None:
    folder = str(tmp_path / "a")
    token = command("token", "add", "dashboard", "--role", "reader", "--archive", folder).stdout.strip()
    code = command("token", "code", "office-17", "--archive", folder).stdout.strip()
    with Archive(tmp_path / "a") as archive:
        access = Access(archive)
        assert access.identify(token) is not None
        assert access.enrol(code) is not None
    listed = command("token", "list", "--archive", folder).stdout
    assert "dashboard" in listed
    assert "office-17" in listed
    assert token[-43:] not in listed
    assert command("token", "revoke", "dashboard", "--archive", folder).returncode == 0
    again = command("token", "revoke", "dashboard", "--archive", folder)
    assert (again.returncode, len(again.stderr.strip().splitlines())) == (2, 1)


def test_tokens_change_while_the_collector_runs(tmp_path: Path) -> None:
    folder = str(tmp_path / "a")
    found = records(3)
    with Running(tmp_path / "a") as running:

        def answered(token: str, status: int) -> bool:
            """Wait for an answer; seldom, since attempts that fail are limited."""
            deadline = time.monotonic() + 20
            while (reply := running.post(found, token).status) != status and time.monotonic() < deadline:
                time.sleep(0.5)
            return reply == status

        old = command("token", "add", "probe-1", "--archive", folder).stdout.strip()
        assert answered(old, 202)
        code = command("token", "code", "probe-1", "--archive", folder).stdout.strip()
        headers = {"Content-Type": "application/json"}
        enrolled = running.call("POST", "/v1/enrol", body=msgspec.json.encode({"code": code}), headers=headers)
        assert answered(enrolled.json["token"], 202)
        assert answered(old, 401)
        assert command("token", "revoke", "probe-1", "--archive", folder).returncode == 0
        assert answered(enrolled.json["token"], 401)


def test_an_archive_of_the_version_before_is_served_and_nothing_is_taken_twice(tmp_path: Path) -> None:
    found = records(40, probe_id="probe-1")
    before = Running(tmp_path / "a", "--seal-every", "3600")
    token = before.token("probe-1")
    with before:
        assert before.post(found, token).status == 202
    with Archive(tmp_path / "a") as archive, archive.transaction() as connection:  # as it was: no table, plain blocks
        connection.executemany(
            "INSERT OR IGNORE INTO ids VALUES (?, 40)", [(bytes.fromhex(r.record_id.replace("-", "")),) for r in found]
        )
        connection.execute("DROP TABLE fresh_ids")
        connection.execute("UPDATE hot SET body = ?", (msgspec.msgpack.encode(gather(found).block),))
    with Running(tmp_path / "a", "--seal-every", "0.2") as after:
        reply = after.post([*found, *records(1, seed=9)], token)
        assert (len(reply.json["accepted"]), reply.json["duplicate_count"]) == (41, 40)
        deadline = time.monotonic() + 30
        while after.metrics()["haidang_archive_records"] < 41 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert len(after.stored()) == 41


def test_tls_is_served(tmp_path: Path) -> None:
    found = certificate(tmp_path)
    arguments = ("--tls-certificate", str(found.certificate), "--tls-key", str(found.key))
    with Running(tmp_path / "a", *arguments) as running:
        context = ssl.create_default_context(cafile=str(found.certificate))
        with urllib.request.urlopen(f"https://localhost:{running.port}/healthz", context=context) as answer:
            assert answer.status == 200
        with pytest.raises((OSError, ConnectionError)):
            running.call("GET", "/healthz")


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with Running(tmp_path / "a") as running:
        done = command("serve", "--archive", str(tmp_path / "b"), "--port", str(running.port))
        assert done.returncode == 2
        assert done.stderr.strip().splitlines()[-1].endswith("Address already in use.")
