"""Run Alertmanager with a configuration of the test's choice."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.found import found
from tests.servers.loopback import HOST, answers, free_port, http
from tests.servers.process import Process

# Tells nobody: a test looks at `alerts`, or gives a configuration with a webhook of its own.
SILENT: dict[str, Any] = {"route": {"receiver": "nobody", "group_wait": "0s"}, "receivers": [{"name": "nobody"}]}


@dataclass(frozen=True)
class Alertmanager:
    """Hold the address of a running server."""

    url: str
    process: Process

    @property
    def target(self) -> str:
        """Give the `host:port` that Prometheus is told."""
        return self.url.removeprefix("http://")

    def alerts(self) -> list[dict[str, Any]]:
        """Give the active alerts."""
        reply = http("GET", f"{self.url}/api/v2/alerts")
        assert reply.status == 200, reply.text
        return list(reply.data)

    def post(self, *alerts: Mapping[str, Any]) -> None:
        """Send alerts as Prometheus does."""
        reply = http("POST", f"{self.url}/api/v2/alerts", list(alerts))
        assert reply.status == 200, reply.text


@contextmanager
def running(folder: Path, configuration: Mapping[str, Any] | Path = SILENT) -> Iterator[Alertmanager]:
    """Run an Alertmanager of one's own; the configuration is a YAML file, or what one would hold."""
    program, port = found("prometheus-alertmanager"), free_port()
    if isinstance(configuration, Path):
        settings = configuration
    else:
        settings = folder / "alertmanager.yml"
        settings.write_text(json.dumps(configuration))  # JSON is YAML
    url = f"http://{HOST}:{port}"
    command: list[str | Path] = [program, f"--config.file={settings}", f"--storage.path={folder / 'data'}"]
    # No cluster address: it would listen on every interface.
    command += [f"--web.listen-address={HOST}:{port}", "--cluster.listen-address=", "--log.level=warn"]
    with Process(command, log=folder / "alertmanager.log", ready=lambda: answers(f"{url}/-/ready")) as process:
        yield Alertmanager(url=url, process=process)


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """Give a test an Alertmanager that tells nobody."""
    with running(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Give the program that checks Alertmanager's files."""
    return found("amtool")
