"""Run gpsd with a receiver whose sentences a test writes."""

import json
import os
import socket
import threading
import tty
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import pytest

from tests.servers.found import found
from tests.servers.loopback import HOST, free_port
from tests.servers.process import Process

# One second of a receiver on the Dragon Bridge in Đà Nẵng: a three-dimensional fix with eight satellites.
BRIDGE = (
    "GPGGA,{clock}.00,1603.6660,N,10813.6380,E,1,08,0.9,12.0,M,-9.0,M,,",
    "GPGSA,A,3,01,03,06,09,14,17,19,22,,,,,1.8,0.9,1.5",
    "GPRMC,{clock}.00,A,1603.6660,N,10813.6380,E,0.50,90.0,{date},,,A",
)


def sentence(body: str) -> str:
    """Put the `$`, the checksum and the line end around an NMEA sentence."""
    return f"${body}*{reduce(xor, body.encode(), 0):02X}\r\n"


def standing_still(seconds: int = 60, *, clock: int = 9 * 3600, date: str = "010726") -> list[str]:
    """Write the sentences of a receiver that stands on the bridge, one text for each second."""
    times = [f"{t // 3600:02d}{t // 60 % 60:02d}{t % 60:02d}" for t in range(clock, clock + seconds)]
    return ["".join(sentence(body.format(clock=time, date=date)) for body in BRIDGE) for time in times]


@dataclass
class Receiver:
    """Play sentences into a serial line, over and over, until it is stopped."""

    seconds: list[str]
    interval_s: float
    master: int = field(init=False)
    slave: int = field(init=False)
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        # gpsd gives up its privileges before it opens a device.
        os.chmod(self.path, 0o666)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def _play(self) -> None:
        os.set_blocking(self.master, False)
        while True:
            for second in self.seconds:
                # A line that nobody reads is full: a real receiver would not wait either.
                with suppress(BlockingIOError):
                    os.write(self.master, second.encode())
                if self._stopped.wait(self.interval_s):
                    return

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def stop(self) -> None:
        """Fall silent, and unplug the line."""
        self._stopped.set()
        self._thread.join()
        os.close(self.master)
        os.close(self.slave)


@dataclass(frozen=True)
class Gpsd:
    """Hold where gpsd listens."""

    host: str
    port: int
    process: Process

    def reports(self, kind: str, count: int = 1, timeout_s: float = 10) -> list[dict[str, Any]]:
        """Watch until gpsd has sent `count` reports of a kind (`TPV`, `SKY`), and give them."""
        found_reports: list[dict[str, Any]] = []
        with (
            socket.create_connection((self.host, self.port), timeout=timeout_s) as client,
            client.makefile("rw") as line,
        ):
            line.write('?WATCH={"enable":true,"json":true};\n')
            line.flush()
            while len(found_reports) < count:
                report: dict[str, Any] = json.loads(line.readline())
                if report["class"] == kind:
                    found_reports.append(report)
        return found_reports


@contextmanager
def running(folder: Path, seconds: Iterable[str] | None = None, interval_s: float = 0.1) -> Iterator[Gpsd]:
    """Run a gpsd of one's own that reads `seconds` of NMEA, one each `interval_s`; it stands still by default."""
    program, port = found("gpsd"), free_port()
    receiver = Receiver(list(seconds) if seconds is not None else standing_still(), interval_s)

    def listening() -> bool:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        return False

    # Speed and framing are said, or gpsd spends seconds in trying them all.
    command: list[str | Path] = [program, "-N", "-n", "-p", "-s", "9600", "-f", "8N1", "-S", str(port), receiver.path]
    # gpsd tells programs of the same machine through shared memory too; an own key keeps two of them apart.
    environment = {"GPSD_SHM_KEY": hex(0x47505344 + port)}
    receiver.start()
    try:
        with Process(command, log=folder / "gpsd.log", ready=listening, environment=environment) as process:
            yield Gpsd(host=HOST, port=port, process=process)
    finally:
        receiver.stop()


@pytest.fixture
def gpsd(tmp_path: Path) -> Iterator[Gpsd]:
    """Give a test a gpsd whose receiver stands still."""
    with running(tmp_path) as server:
        yield server
