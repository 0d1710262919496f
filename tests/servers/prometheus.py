"""Run Prometheus with a configuration of the test's choice."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.servers.found import found
from tests.servers.loopback import HOST, answers, free_port, http
from tests.servers.process import Process

# Scrapes and evaluates as often as Prometheus can, so that tests need not wait.
FAST: dict[str, Any] = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}}


@dataclass(frozen=True)
class Prometheus:
    """Hold the address of a running server and its configuration file."""

    url: str
    configuration: Path
    process: Process

    def get(self, path: str, **asked: str) -> Any:
        """Read one address of the API and give its `data`."""
        reply = http("GET", f"{self.url}/api/v1/{path}?" + urlencode(asked))
        assert reply.status == 200, reply.text
        return reply.data["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Evaluate an expression now and give labels and value of each series."""
        return [(row["metric"], float(row["value"][1])) for row in self.get("query", query=expression)["result"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Give the alerts that are pending or firing."""
        return list(self.get("alerts")["alerts"])

    def reload(self, configuration: Mapping[str, Any]) -> None:
        """Replace the configuration of the running server."""
        self.configuration.write_text(json.dumps(configuration))
        reply = http("POST", f"{self.url}/-/reload")
        assert reply.status == 200, reply.text


def scraping(job: str, *targets: str, **settings: Any) -> dict[str, Any]:
    """Write the configuration that scrapes `targets` (`host:port`), with further top-level settings."""
    return {**FAST, "scrape_configs": [{"job_name": job, "static_configs": [{"targets": list(targets)}]}], **settings}


@contextmanager
def running(folder: Path, configuration: Mapping[str, Any] = FAST) -> Iterator[Prometheus]:
    """Run a Prometheus of one's own; the configuration is what its YAML file would hold."""
    program, port = found("prometheus"), free_port()
    settings = folder / "prometheus.yml"
    settings.write_text(json.dumps(configuration))  # JSON is YAML
    url = f"http://{HOST}:{port}"
    command: list[str | Path] = [program, f"--config.file={settings}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={HOST}:{port}", "--web.enable-lifecycle", "--log.level=warn"]
    with Process(command, log=folder / "prometheus.log", ready=lambda: answers(f"{url}/-/ready")) as process:
        yield Prometheus(url=url, configuration=settings, process=process)


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    """Give a test a Prometheus that scrapes nothing; `reload` gives it work."""
    with running(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Give the program that checks and tests Prometheus' files."""
    return found("promtool")
