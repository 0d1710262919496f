"""Run irtt, the reference of isochronous round-trip and one-way delay."""

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
class Irtt:
    """Hold where the server listens."""

    host: str
    port: int
    process: Process

    def measure(self, *flags: str, timeout_s: float = 60) -> dict[str, Any]:
        """Run irtt's own client against the server (`-i 10ms -d 1s`, …) and give its report."""
        command: list[str | Path] = [found("irtt"), "client", *flags, "-Q", "-o", "-", f"{self.host}:{self.port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        report: dict[str, Any] = json.loads(done.stdout)
        return report


@contextmanager
def running(folder: Path) -> Iterator[Irtt]:
    """Run an irtt server of one's own."""
    program, port = found("irtt"), free_port()
    asked = [str(program), "client", "-n", "-Q", f"{HOST}:{port}"]  # -n: connect, and do no test
    with Process(
        # By default it drops packets that come faster than 10 ms, as those of a busy machine may.
        [program, "server", "-i", "0", "-b", f"{HOST}:{port}"],
        log=folder / "irtt.log",
        ready=lambda: subprocess.run(asked, capture_output=True, check=False).returncode == 0,
    ) as process:
        yield Irtt(host=HOST, port=port, process=process)


@pytest.fixture(scope="session")
def irtt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Irtt]:
    """Share one irtt server among all tests of the session."""
    with running(tmp_path_factory.mktemp("irtt")) as server:
        yield server
