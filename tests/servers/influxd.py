"""Run InfluxDB 2 with an organisation, a bucket and a token of its own."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.found import found
from tests.servers.loopback import HOST, Reply, answers, free_port, http
from tests.servers.process import Process

ORG = "haidang"
BUCKET = "measurements"
TOKEN = "a-token-for-tests-only"


@dataclass(frozen=True)
class Influxd:
    """Hold what a client needs, and the process for tests that break it."""

    url: str
    org: str
    bucket: str
    token: str
    process: Process

    def call(self, method: str, path: str, body: object = None) -> Reply:
        """Send one request of the HTTP API with the operator's token."""
        return http(method, f"{self.url}{path}", body, {"Authorization": f"Token {self.token}"})

    def set_up(self) -> None:
        """Do the onboarding that a new server asks for."""
        asked = {
            "username": "operator",
            "password": "a-password-for-tests-only",
            "org": self.org,
            "bucket": self.bucket,
            "token": self.token,
        }
        reply = self.call("POST", "/api/v2/setup", asked)
        assert reply.status == 201, reply.text

    def new_bucket(self, name: str, retention_s: int = 0) -> str:
        """Make a further bucket, so that tests that share the server do not see each other; give its name."""
        organisations = self.call("GET", f"/api/v2/orgs?org={self.org}").data["orgs"]
        rules = [{"type": "expire", "everySeconds": retention_s}] if retention_s else []
        reply = self.call(
            "POST", "/api/v2/buckets", {"orgID": organisations[0]["id"], "name": name, "retentionRules": rules}
        )
        assert reply.status == 201, reply.text
        return name

    def write(self, lines: str, bucket: str | None = None, precision: str = "ns") -> None:
        """Write line protocol."""
        path = f"/api/v2/write?org={self.org}&bucket={bucket or self.bucket}&precision={precision}"
        reply = self.call("POST", path, lines)
        assert reply.status == 204, reply.text

    def query(self, flux: str) -> list[dict[str, str]]:
        """Run a Flux query and give its rows as text by column."""
        asked: dict[str, Any] = {"query": flux, "type": "flux", "dialect": {"annotations": [], "header": True}}
        reply = self.call("POST", f"/api/v2/query?org={self.org}", asked)
        assert reply.status == 200, reply.text
        return list(csv.DictReader(io.StringIO(reply.text.strip())))

    def kill(self) -> None:
        """End the server as a power cut would; its folder stays."""
        self.process.kill()

    def restart(self) -> None:
        """Start it again on the same port, with what it had stored."""
        self.process.restart()


@contextmanager
def running(folder: Path) -> Iterator[Influxd]:
    """Run an InfluxDB of one's own, ready to write, with everything it stores below `folder`."""
    program, port = found("influxd"), free_port()
    url = f"http://{HOST}:{port}"
    command: list[str | Path] = [program, "run"]
    command += ["--http-bind-address", f"{HOST}:{port}", "--reporting-disabled", "--log-level", "warn"]
    command += ["--store", "disk", "--bolt-path", folder / "influxd.bolt", "--sqlite-path", folder / "influxd.sqlite"]
    command += ["--engine-path", folder / "engine"]
    process = Process(command, log=folder / "influxd.log", ready=lambda: answers(f"{url}/health"))
    with process:
        server = Influxd(url=url, org=ORG, bucket=BUCKET, token=TOKEN, process=process)
        server.set_up()
        yield server


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """Share one InfluxDB among all tests of the session; a test that needs it empty makes a `new_bucket`."""
    with running(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture
def own_influxd(tmp_path: Path) -> Iterator[Influxd]:
    """Give a test an InfluxDB that it may kill and restart."""
    with running(tmp_path) as server:
        yield server
