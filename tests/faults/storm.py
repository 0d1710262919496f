"""A storm of kills: probes, collector and InfluxDB die at random instants under load; then the books are checked."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from archive.store import Archive
from collector.access import Role
from tests.collector.running import Running
from tests.servers import influxd as influxd_server
from tests.servers.influxd import TOKEN, Influxd
from tests.servers.loopback import free_port

PROBES = 2
CALM_S = 180.0


class Books(NamedTuple):
    """Kept by probes, stored in the archive, points in InfluxDB; lost and doubled must be 0 everywhere."""

    kills: dict[str, int]
    kept: int
    stored: int
    in_influxdb: int
    lost: int
    doubled: int
    lost_in_influxdb: int
    doubled_in_influxdb: int


class Storm:
    """A collector with an InfluxDB sink and some probes, all real processes."""

    def __init__(self, folder: Path, influx: Influxd, seed: int, turn: int = 5) -> None:
        """Prepare below `folder`; every choice comes from `seed`."""
        os.environ["INFLUXDB_TOKEN"] = TOKEN
        self.folder, self.influx, self.noise, self.turn = folder, influx, random.Random(seed), turn
        self.port = free_port()
        arguments = ("--seal-every", "0.5", "--influx-url", influx.url, "--influx-org", influx.org)
        self.collector = Running(folder / "archive", *arguments, "--influx-bucket", "storm")
        # The later --port wins: probes must find the collector again where it was.
        self.collector.arguments += ("--port", str(self.port))
        self.token = self.collector.token("storm", Role.ADMIN)
        self.probes: list[subprocess.Popen[bytes]] = []
        self.kills: Counter[str] = Counter()

    def start(self) -> None:
        """Start everything."""
        self.collector.start()
        self.probes = [self._probe(number) for number in range(PROBES)]

    def _probe(self, number: int) -> subprocess.Popen[bytes]:
        words = [f"http://127.0.0.1:{self.port}", self.folder / f"spool-{number}", self._log(number), number, self.turn]
        command = [sys.executable, "-m", "tests.faults.probe_process", *map(str, words)]
        environment = os.environ | {"HAIDANG_TEST_TOKEN": self.token}
        with (self.folder / f"probe-{number}.err").open("ab") as errors:
            return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)

    def _log(self, number: int) -> Path:
        return self.folder / f"kept-{number}.txt"

    def blow(self, kills: int, shares: dict[str, float], pause_s: tuple[float, float] = (0.02, 0.8)) -> None:
        """Kill `kills` times at random instants, each victim by its share; it starts again at once."""
        for _ in range(kills):
            time.sleep(self.noise.uniform(*pause_s))
            (victim,) = self.noise.choices(list(shares), list(shares.values()))
            getattr(self, f"_kill_{victim}")()
            self.kills[victim] += 1

    def _kill_collector(self) -> None:
        self.collector.kill()
        self.collector.start()

    def _kill_probe(self) -> None:
        number = self.noise.randrange(PROBES)
        self.probes[number].kill()
        self.probes[number].wait()
        self.probes[number] = self._probe(number)

    def _kill_influxd(self) -> None:
        self.influx.kill()
        time.sleep(self.noise.uniform(0, 0.5))
        self.influx.restart()

    def calm(self) -> Books:
        """Let probes and sink finish, stop everything, count."""
        for number in range(PROBES):
            Path(f"{self._log(number)}.stop").touch()
        for probe in self.probes:
            probe.wait(CALM_S)
        self.drain()
        self.collector.stop()
        return self._count()

    def drain(self) -> None:
        """Wait until InfluxDB has all that the archive holds."""
        deadline = time.monotonic() + CALM_S
        while self._waiting() and time.monotonic() < deadline:
            time.sleep(0.2)

    def _waiting(self) -> int:
        with Archive(self.collector.folder) as archive:
            (cursor,) = archive.connection.execute("SELECT sequence FROM sink_cursors WHERE name = 'influx'").fetchone()
            return archive.count_after(cursor)

    def _count(self) -> Books:
        kept = {i for n in range(PROBES) for i in self._log(n).read_text().split()}
        stored, points = self.collector.stored(), self.points()
        return Books(
            dict(self.kills),
            len(kept),
            len(stored),
            len(points),
            len(kept - set(stored)),
            len(stored) - len(set(stored)),
            len(set(stored) - set(points)),
            len(points) - len(set(points)),
        )

    def points(self) -> list[str]:
        """Return the record ids in InfluxDB."""
        rows = self.influx.query(
            'from(bucket: "storm") |> range(start: -10y, stop: 10y) |> filter(fn: (r) => r._measurement == "test" and '
            'r._field == "record_id") |> group() |> keep(columns: ["_value"])'
        )
        return [row["_value"] for row in rows]

    def stop(self) -> None:
        """Leave no process behind, whatever happened."""
        for probe in self.probes:
            probe.kill()
            probe.wait()
        self.collector.stop()


def run(folder: Path, kills: int, seed: int) -> Books:
    """Run one storm from start to count."""
    shares = {"probe": 0.5, "collector": 0.35, "influxd": 0.15}
    (folder / "influxd").mkdir(parents=True)
    with influxd_server.running(folder / "influxd") as influx:
        storm = Storm(folder, influx, seed)
        try:
            storm.start()
            storm.blow(kills, shares)
            return storm.calm()
        finally:
            storm.stop()
