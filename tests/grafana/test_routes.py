"""Alertmanager: who is told what and when, on the real program."""

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grafana.__main__ import FOLDER
from tests.servers.alertmanager import running
from tests.servers.loopback import HOST

CONFIGURATION = FOLDER / "alertmanager" / "alertmanager.yml"


def test_amtool_accepts_configuration_and_templates(amtool: Path) -> None:
    done = subprocess.run([amtool, "check-config", CONFIGURATION], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("scope=heartbeat severity=none alertname=Heartbeat", "heartbeat"),
        ("scope=server severity=critical alertname=PeerDown", "page"),
        ("scope=server severity=warning alertname=SinkLags", "day"),
        ("scope=area severity=critical alertname=AreaDegradedMajor area=303", "retest,page"),
        ("scope=area severity=critical alertname=AreaDegradedMajor area=306", "retest,page-harbour"),
        ("scope=area severity=warning alertname=AreaDegraded area=306", "retest,day"),
        ("scope=area severity=critical alertname=OperatorDegraded", "page"),
        ("scope=fleet severity=warning alertname=SiteLineDown", "day"),
        ("scope=fleet severity=critical alertname=ManyProbesSilent", "page"),
    ],
)
def test_every_alert_reaches_whom_it_should(amtool: Path, labels: str, receivers: str) -> None:
    command = [amtool, "config", "routes", "test", f"--config.file={CONFIGURATION}", f"--verify.receivers={receivers}"]
    done = subprocess.run([*command, *labels.split()], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_templates_speak_both_languages(amtool: Path) -> None:
    template = f"--template.glob={CONFIGURATION.parent}/templates/*.tmpl"
    command = [amtool, "template", "render", template, '--template.text={{ template "haidang.title" . }}']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[")


class Heard:
    """A web hook that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        heard = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.told.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        deadline = time.monotonic() + 60
        while len(self.told) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2)  # what comes too much comes within the group's second
        return self.told


@pytest.fixture
def heard() -> Iterator[Heard]:
    hook = Heard()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


def _configuration(folder: Path, heard: Heard) -> Path:
    """Write the real configuration with our address and short waits."""
    text = CONFIGURATION.read_text("utf-8").replace("webhook:9095", f"{HOST}:{heard.port}")
    for word in ("group_wait: 2m", "group_wait: 1m", "group_wait: 30s", "group_wait: 10s"):
        text = text.replace(word, "group_wait: 1s")
    path = folder / "alertmanager.yml"
    path.write_text(text.replace("templates/", f"{CONFIGURATION.parent}/templates/"), "utf-8")
    return path


def alert(name: str, scope: str, severity: str, **labels: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "scope": scope, "severity": severity, **labels},
        "annotations": {"title_vi": "vi", "title_en": "en", "summary_vi": "vi", "summary_en": "en"},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
    }


@pytest.mark.slow
def test_a_fault_of_a_whole_city_is_one_page(tmp_path: Path, heard: Heard) -> None:
    areas = [
        alert("AreaTestsFail", "area", "critical", operator="Viettel", area=f"1{n:04d}", layer="communes-2025")
        for n in range(114)
    ]
    with running(tmp_path, _configuration(tmp_path, heard)) as server:
        server.post(*areas)
        told = [(path, body) for path, body in heard.wait(115) if path == "/page"]
    assert len(told) == 1
    assert len(told[0][1]["alerts"]) == 114


@pytest.mark.slow
def test_our_own_fault_silences_areas_and_the_whole_its_parts(tmp_path: Path, heard: Heard) -> None:
    major = {"operator": "Viettel", "area": "303", "layer": "districts-2024"}
    with running(tmp_path, _configuration(tmp_path, heard)) as server:
        server.post(alert("PeerDown", "server", "critical", instance="peer"))
        heard.wait(1)
        server.post(alert("AreaTestsFail", "area", "critical", **major), alert("SiteLineDown", "fleet", "warning"))
        heard.wait(2)
        assert [body["groupLabels"]["scope"] for _, body in heard.told] == ["server"]
    heard.told.clear()
    (tmp_path / "second").mkdir()
    with running(tmp_path / "second", _configuration(tmp_path / "second", heard)) as server:
        server.post(alert("OperatorDegraded", "area", "critical", operator="Viettel"))
        heard.wait(1)
        server.post(
            alert("AreaDegradedMajor", "area", "critical", **major),
            alert("AreaDegradedMajor", "area", "critical", **major | {"operator": "VinaPhone"}),
        )
        heard.wait(3)
    paged = {a["labels"]["operator"]: a["labels"]["alertname"]
             for path, body in heard.told if path == "/page" for a in body["alerts"]}  # fmt: skip
    assert paged == {"Viettel": "OperatorDegraded", "VinaPhone": "AreaDegradedMajor"}


def test_warnings_keep_quiet_at_night() -> None:
    text = CONFIGURATION.read_text("utf-8")
    assert "mute_time_intervals: [quiet]" in text
    assert 'start_time: "22:00"' in text
    assert "location: Asia/Ho_Chi_Minh" in text
