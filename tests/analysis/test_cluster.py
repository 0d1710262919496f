"""A real scheduler and two workers on loopback give the same bits as one process."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis import rate, thresholds
from analysis.executors import executor
from measurement.errors import ConfigError
from tests.analysis import city

pytest.importorskip("distributed", reason="haidang[cluster] is not installed")
LIMITS = thresholds.load()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    run = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-dashboard",
    ]
    work = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--host", "127.0.0.1", "--nthreads", "1",
            "--no-dashboard", "--local-directory", str(tmp_path)]  # fmt: skip
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": Path(__file__).parents[2]}
    processes = [subprocess.Popen(command, **options) for command in (run, work, work)]  # type: ignore[call-overload]
    try:
        _await_workers(address)
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(30)


def _await_workers(address: str) -> None:
    from distributed import Client

    deadline = time.monotonic() + 90
    while True:
        try:
            with Client(address, timeout="5s") as client:
                client.wait_for_workers(2, timeout=60)
                return
        except OSError:
            if time.monotonic() > deadline:
                raise


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_workers_give_the_same_bits(tmp_path: Path, scheduler: str) -> None:
    frame = city.records(1, 3000)
    found = []
    for name, cluster in (("one", None), ("two", scheduler)):
        archive = city.archive(tmp_path / name, frame)
        with executor(1, cluster) as pool:
            ready = rate.prepare(archive, LIMITS, pool)
            found.append(rate.rate(ready, LIMITS, {}, pool))
    here, there = found
    assert here.keys() == there.keys()
    for name, frame in here.items():
        assert frame.equals(there[name]), name


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="Invalid --cluster 'nonsense://x'"), executor(1, "nonsense://x"):
        pass
