"""Run iperf3, the reference of TCP throughput and of UDP loss and jitter."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.found import found
from tests.servers.loopback import HOST, free_port
from tests.servers.process import Process


@dataclass(frozen=True)
class Iperf3:
    """Hold where the server listens; it serves one test at a time."""

    host: str
    port: int
    process: Process

    def measure(self, *flags: str, timeout_s: float = 60) -> dict[str, Any]:
        """Run iperf3's own client against the server and give its report."""
        command: list[str | Path] = [found("iperf3"), "-c", self.host, "-p", str(self.port), "--json", *flags]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        report: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == 0, report.get("error")
        return report


@contextmanager
def running(folder: Path) -> Iterator[Iperf3]:
    """Run an iperf3 server of one's own."""
    program, port, log = found("iperf3"), free_port(), folder / "iperf3.log"
    # It says that it listens; to ask it by connecting would be a failed test in its eyes.
    with Process(
        [program, "-s", "-B", HOST, "-p", str(port), "--forceflush"],
        log=log,
        ready=lambda: b"Server listening" in log.read_bytes(),
    ) as process:
        yield Iperf3(host=HOST, port=port, process=process)


@pytest.fixture(scope="session")
def iperf3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iperf3]:
    """Share one iperf3 server among all tests of the session."""
    with running(tmp_path_factory.mktemp("iperf3")) as server:
        yield server
