"""Run M-Lab's msak server, the reference of the throughput1 and latency1 tests, and its official client."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.found import found
from tests.servers.loopback import HOST, free_port, http
from tests.servers.process import Process


@dataclass(frozen=True)
class MsakServer:
    """Hold where the server listens and what it archives."""

    host: str
    port: int
    latency_port: int
    data: Path
    process: Process

    @property
    def url(self) -> str:
        """Give the address of the unencrypted server."""
        return f"http://{self.host}:{self.port}"


@contextmanager
def running(folder: Path) -> Iterator[MsakServer]:
    """Run an msak server of one's own."""
    program, port, latency_port, metrics = found("msak-server"), free_port(), free_port(), free_port()
    data = folder / "data"
    data.mkdir()
    command: list[str | Path] = [program, f"-ws_addr={HOST}:{port}", f"-latency_addr={HOST}:{latency_port}"]
    command += [f"-wss_addr={HOST}:{free_port()}", f"-prometheusx.listen-address={HOST}:{metrics}", f"-datadir={data}"]
    with Process(
        command, log=folder / "msak-server.log", ready=lambda: http("GET", f"http://{HOST}:{port}/").status > 0
    ) as process:
        yield MsakServer(host=HOST, port=port, latency_port=latency_port, data=data, process=process)


def msak_client(server: str, *flags: str, timeout_s: float = 60) -> str:
    """Run M-Lab's client against `host:port`, unencrypted, and give what it prints."""
    command: list[str | Path] = [found("msak-client"), "-scheme=ws", f"-server={server}", "-cc=cubic", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def msak_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MsakServer]:
    """Share one msak server among all tests of the session."""
    with running(tmp_path_factory.mktemp("msak-server")) as server:
        yield server
