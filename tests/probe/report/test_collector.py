"""Delivery to the real collector: enrolment, acknowledgement, refusal, and nothing lost or doubled over kills."""

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from archive.store import Archive
from measurement.errors import ConfigError
from probe.cli import group
from probe.collector_client import CollectorClient
from probe.report import Reporter
from probe.settings import read_credentials
from probe.spool.spool import Spool
from tests.probe.records import body, record
from tests.servers.loopback import free_port

BIN = Path(sys.executable).parent


class Collector:
    """A collector process that can be killed and started again on the same archive."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def command(self, *arguments: str) -> str:
        line = [BIN / "haidang-collector", *arguments, "--archive", self.folder]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()

    def start(self) -> None:
        line = [BIN / "haidang-collector", "serve", "--archive", self.folder, "--port", str(self.port)]
        self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                urllib.request.urlopen(self.url + "/healthz", timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the collector does not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def record_ids(self) -> list[str]:
        with Archive(self.folder) as archive:
            snapshot = archive.snapshot()
            return [i for day in snapshot.days for i in snapshot.frame(day, ["record_id"])["record_id"].to_list()]


@pytest.fixture
def collector(tmp_path):
    collector = Collector(tmp_path / "archive")
    collector.start()
    yield collector
    collector.kill()


def enrolled(collector, tmp_path, name="probe-1") -> Path:
    token = tmp_path / f"{name}.token"
    code = collector.command("token", "code", name).split()[-1]
    done = CliRunner().invoke(group, ["enrol", collector.url, code, "--token-file", str(token)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return token


def test_enrol_writes_a_private_file_and_a_code_works_once(collector, tmp_path):
    code = collector.command("token", "code", "probe-1").split()[-1]
    token = tmp_path / "deep" / "token"
    arguments = ["enrol", collector.url, code, "--token-file", str(token)]
    done = CliRunner().invoke(group, arguments, catch_exceptions=False)
    assert "Enrolled as probe-1" in done.output
    assert token.stat().st_mode & 0o777 == 0o600
    credentials = read_credentials(token)
    assert credentials.probe_id == "probe-1"
    assert credentials.token not in done.output
    with pytest.raises(ConfigError, match="is there already"):
        CliRunner().invoke(group, arguments, catch_exceptions=False)
    with pytest.raises(ConfigError, match="Invalid code"):
        CliRunner().invoke(group, [*arguments, "--force"], catch_exceptions=False)
    assert read_credentials(token) == credentials


def test_a_token_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "token"
    path.write_text("hd_secret")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="Anyone may read it"):
        read_credentials(path)


def test_the_collectors_verdicts_are_understood(collector, tmp_path):
    credentials = read_credentials(enrolled(collector, tmp_path))
    with Spool(tmp_path / "spool.sqlite") as spool:
        for index in range(5):
            spool.keep(record(index).record_id, "complete", body(index))
        spool.keep(record(7).record_id, "complete", body(7, probe_id="somebody-else"))
        reporter = Reporter(spool, CollectorClient(collector.url, credentials.token))
        assert reporter.deliver() == (5, 1, None)
        assert spool.refused()[0].path == "$.probe_id"
        wrong = Reporter(spool, CollectorClient(collector.url, "hd_wrong"))
        spool.keep(record(9).record_id, "complete", body(9))
        assert "token is refused" in (wrong.deliver().error or "")
        assert spool.depth().waiting_count == 1


def test_a_collector_killed_again_and_again_holds_every_record_once(collector, tmp_path):
    credentials = read_credentials(enrolled(collector, tmp_path))
    rng = random.Random(5)
    with Spool(tmp_path / "spool.sqlite") as spool:
        reporter = Reporter(spool, CollectorClient(collector.url, credentials.token, timeout_s=5), batch_records=20)
        for index in range(600):
            spool.keep(record(index).record_id, "complete", body(index))
        for _ in range(3):
            assert collector.process is not None
            process = collector.process
            killer = subprocess.Popen(["sh", "-c", f"sleep {rng.uniform(0.05, 0.25):.3f}; kill -9 {process.pid}"])
            while reporter.deliver().error is None and spool.depth().waiting_count:
                pass
            killer.wait()
            collector.kill()
            collector.start()
        assert reporter.deliver().error is None
        assert spool.depth()[:2] == (0, 0)
    expected = sorted(record(index).record_id for index in range(600))
    assert sorted(collector.record_ids()) == expected
    assert os.path.exists(tmp_path / "spool.sqlite")
