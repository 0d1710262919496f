"""Run M-Lab's ndt-server, the reference of ndt7, and its official client."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificate import Certificate, certificate
from tests.servers.found import found
from tests.servers.loopback import HOST, answers, free_port
from tests.servers.process import Process


@dataclass(frozen=True)
class NdtServer:
    """Hold where the server listens and what it archives."""

    host: str
    port: int
    tls_port: int
    certificate: Certificate
    data: Path
    process: Process

    @property
    def url(self) -> str:
        """Give the address of the unencrypted server."""
        return f"http://{self.host}:{self.port}"

    def archived(self) -> list[dict[str, Any]]:
        """Read what the server has kept of the finished ndt7 tests."""
        return [json.loads(path.read_bytes()) for path in sorted(self.data.glob("ndt7/**/*.json"))]


@contextmanager
def running(folder: Path) -> Iterator[NdtServer]:
    """Run an ndt-server of one's own; its archive is not compressed, so that a test can read it."""
    program, port, tls_port, health = found("ndt-server"), free_port(), free_port(), free_port()
    identity, data = certificate(folder), folder / "data"
    data.mkdir()
    listen = {
        "ndt7_addr_cleartext": port,
        "ndt7_addr": tls_port,
        "health_addr": health,
        "ndt5_addr": free_port(),
        "ndt5_ws_addr": free_port(),
        "ndt5_wss_addr": free_port(),
        "prometheusx.listen-address": free_port(),
    }
    command: list[str | Path] = [program, *(f"-{flag}={HOST}:{number}" for flag, number in listen.items())]
    command += [f"-cert={identity.certificate}", f"-key={identity.key}", f"-datadir={data}", f"-htmldir={folder}"]
    command += ["-compress-results=false"]
    with Process(
        command,
        log=folder / "ndt-server.log",
        ready=lambda: answers(f"http://{HOST}:{health}/health"),
        stop_signals=2,  # the first one only tells its clients that it is about to go
    ) as process:
        yield NdtServer(host=HOST, port=port, tls_port=tls_port, certificate=identity, data=data, process=process)


def ndt7_client(server: str, *flags: str, timeout_s: float = 60) -> list[dict[str, Any]]:
    """Run M-Lab's client against `host:port`, unencrypted, and give the events it prints; the last is the summary."""
    command: list[str | Path] = [found("ndt7-client"), "-format=json", "-scheme=ws", f"-server={server}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def ndt_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NdtServer]:
    """Share one ndt-server among all tests of the session."""
    with running(tmp_path_factory.mktemp("ndt-server")) as server:
        yield server
