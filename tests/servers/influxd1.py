"""Run InfluxDB 1, with the interface that InfluxDB 2 keeps for its clients."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.servers.found import found
from tests.servers.loopback import HOST, answers, free_port, http
from tests.servers.process import Process

DATABASE = "haidang"


@dataclass(frozen=True)
class Influxd1:
    """Hold the address and the database of a running server."""

    url: str
    database: str
    process: Process

    def query(self, statement: str) -> list[dict[str, Any]]:
        """Run InfluxQL and give the series of its one result."""
        reply = http("POST", f"{self.url}/query?" + urlencode({"q": statement, "db": self.database}))
        assert reply.status == 200, reply.text
        result: dict[str, Any] = reply.data["results"][0]
        assert "error" not in result, result
        return list(result.get("series", []))

    def write(self, lines: str) -> None:
        """Write line protocol."""
        reply = http("POST", f"{self.url}/write?" + urlencode({"db": self.database}), lines)
        assert reply.status == 204, reply.text


def configuration(folder: Path, port: int, backup_port: int) -> str:
    """Write the settings that keep the server on loopback and below `folder`."""
    tables: dict[str, dict[str, str | bool]] = {
        "meta": {"dir": str(folder / "meta")},
        "data": {"dir": str(folder / "data"), "wal-dir": str(folder / "wal")},
        "http": {"bind-address": f"{HOST}:{port}", "log-enabled": False},
        "monitor": {"store-enabled": False},
    }
    text = f'reporting-disabled = true\nbind-address = "{HOST}:{backup_port}"\n'
    for name, settings in tables.items():
        # A JSON string, number or boolean is written the same way in TOML.
        text += f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    return text


@contextmanager
def running(folder: Path) -> Iterator[Influxd1]:
    """Run an InfluxDB 1 of one's own, with an empty database."""
    program, port = found("influxd1"), free_port()
    settings = folder / "influxd1.conf"
    settings.write_text(configuration(folder, port, free_port()))
    url = f"http://{HOST}:{port}"
    with Process(
        [program, "-config", settings], log=folder / "influxd1.log", ready=lambda: answers(f"{url}/ping")
    ) as process:
        server = Influxd1(url=url, database=DATABASE, process=process)
        server.query(f"CREATE DATABASE {DATABASE}")
        yield server


@pytest.fixture(scope="session")
def influxd1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd1]:
    """Share one InfluxDB 1 among all tests of the session."""
    with running(tmp_path_factory.mktemp("influxd1")) as server:
        yield server
