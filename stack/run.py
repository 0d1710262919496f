"""The whole server side on this machine, from the files that docker-compose.yml uses, with addresses put for names."""

from __future__ import annotations

import json
import re
import secrets
import sys
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from grafana import rulebook
from stack.processes import HOST, Server, free_port, program
from stack.webhook import Receiver, Retests

ROOT = Path(__file__).resolve().parent.parent
PORTS = {
    "collector": 8080, "peer": 8090, "second-peer": 8091, "influxdb": 8086, "prometheus": 9090, "alertmanager": 9093,
    "webhook": 9095,
}  # fmt: skip
"""The ports of the containers; `Stack` takes free ones where it is told to."""
ORG = BUCKET = "haidang"


def own(command: str) -> Path:
    """Return the path of one of our commands in this environment."""
    return Path(sys.executable).parent / command


class Stack:
    """Every server of docker-compose.yml but Grafana, for which Debian has no package."""

    def __init__(
        self, folder: Path, *, scale: float = 1.0, is_free: bool = False, has_probe: bool = True,
        tell: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
    ) -> None:  # fmt: skip
        """Keep everything below `folder`; `scale` compresses the rules' windows and the scrape interval."""
        self.folder, self.scale, self.tell, self.has_probe = folder, scale, tell, has_probe
        self.ports = {name: free_port() if is_free else port for name, port in PORTS.items()}
        self.archive = folder / "archive"
        self.servers: dict[str, Server] = {}
        self._stack = ExitStack()
        for name in ("logs", "archive", "configuration", "secrets"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.influx_token = self._secret("influx_token")
        self.admin_token = self._secret("admin_token")
        self.probe_token = self._secret("probe_token")
        tokens = folder / "secrets" / "tokens"
        tokens.touch(mode=0o600)
        tokens.write_text(f"stack admin {self.admin_token}\ndemo-probe probe {self.probe_token}\n")
        retests = Retests(
            self.url("collector"), self.admin_token, self.url("influxdb"), self.influx_token, BUCKET,
            [self.url("second-peer")],
        )  # fmt: skip
        self.webhook = Receiver(HOST, self.ports["webhook"], folder / "messages.ndjson", retests, tell)

    def url(self, name: str) -> str:
        """Return the address of a server."""
        return f"http://{HOST}:{self.ports[name]}"

    def _secret(self, name: str) -> str:
        path = self.folder / "secrets" / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text().strip()

    def _placed(self, text: str) -> str:
        """Put addresses of this machine for the names of containers."""
        text = text.replace("localhost:9090", f"{HOST}:{self.ports['prometheus']}")
        for name, port in PORTS.items():
            text = text.replace(f"{name}:{port}", f"{HOST}:{self.ports[name]}")
        return text

    def configure(self) -> None:
        """Write the configuration of Prometheus and Alertmanager for this machine."""
        target = self.folder / "configuration"
        for path in ("prometheus/prometheus.yml", "alertmanager/alertmanager.yml"):
            text = self._placed((ROOT / "grafana" / path).read_text("utf-8"))
            (target / Path(path).name).write_text(self._compressed(text), "utf-8")
        (target / "rules.yml").write_text(rulebook.text(rulebook.rules(self.scale)), "utf-8")
        for name in ("templates", "probes"):
            (target / name).mkdir(exist_ok=True)
        for template in (ROOT / "grafana" / "alertmanager" / "templates").glob("*.tmpl"):
            (target / "templates" / template.name).write_text(template.read_text("utf-8"), "utf-8")

    def _compressed(self, text: str) -> str:
        """Compress intervals; not those of the day, nor how long Alertmanager waits to repeat."""
        if self.scale == 1.0:
            return text

        def shorter(match: re.Match[str]) -> str:
            seconds = int(match[2]) * {"s": 1, "m": 60, "h": 3600}[match[3]]
            return f"{match[1]}: {max(round(1000 * seconds * self.scale), 1000 if seconds else 0)}ms"

        keys = "scrape_interval|scrape_timeout|evaluation_interval|group_wait|group_interval"
        return re.sub(rf"({keys}): (\d+)([smh])", shorter, text)

    def _serve(self, name: str, ready: str | None, *command: str | Path) -> None:
        log = self.folder / "logs" / f"{name}.log"
        server = Server(name, command, log, None if ready is None else self.url(name) + ready)
        self.servers[name] = self._stack.enter_context(server)
        self.tell(f"{name:14}{self.url(name) if name in self.ports else ''}")

    def __enter__(self) -> Self:
        """Start everything in the order in which it needs each other; nothing stays behind where one fails."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _start(self) -> None:
        self.configure()
        folder, settings = self.folder, self.folder / "configuration"
        self.webhook.start()
        self._stack.callback(self.webhook.stop)
        influx = folder / "influx"
        influx.mkdir(exist_ok=True)
        self._serve(
            "influxdb", "/health", program("influxd"), "run", "--http-bind-address",
            f"{HOST}:{self.ports['influxdb']}", "--reporting-disabled", "--log-level=warn", "--bolt-path",
            influx / "influxd.bolt", "--sqlite-path", influx / "influxd.sqlite", "--engine-path", influx / "engine",
        )  # fmt: skip
        self._set_up_influx()
        for name in ("peer", "second-peer"):
            port = str(self.ports[name])
            self._serve(name, "/v1/peer", own("haidang-probe"), "peer", "--host", HOST, "--port", port,
                        "--stamp-port", port, "--name", name)  # fmt: skip
        self._serve(
            "collector", "/healthz", own("haidang-collector"), "serve", "--archive", self.archive,
            "--host", HOST, "--port", str(self.ports["collector"]), "--token-file", folder / "secrets" / "tokens",
            "--influx-url", self.url("influxdb"), "--influx-token-file", folder / "secrets" / "influx_token",
        )  # fmt: skip
        self._serve(
            "alertmanager", "/-/ready", program("prometheus-alertmanager"),
            f"--config.file={settings / 'alertmanager.yml'}", f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={HOST}:{self.ports['alertmanager']}", "--cluster.listen-address=",
            "--log.level=warn",
        )  # fmt: skip
        self._serve(
            "prometheus", "/-/ready", program("prometheus"), f"--config.file={settings / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}", "--web.enable-lifecycle", "--log.level=warn",
            f"--web.listen-address={HOST}:{self.ports['prometheus']}", "--storage.tsdb.retention.time=90d",
            # Prometheus' own minute: an alert that found no Alertmanager is sent again after it.
            f"--rules.alert.resend-delay={max(round(60_000 * self.scale), 1000)}ms",
        )  # fmt: skip
        if self.has_probe:
            self._serve(
                "probe", None, own("haidang-probe"), "run", "--peer", self.url("peer"), "--collector",
                self.url("collector"), "--token-file", folder / "secrets" / "probe_token", "--probe-id", "demo-probe",
                "--spool", folder / "spool.sqlite", "--interval", "60",
            )  # fmt: skip

    def _set_up_influx(self) -> None:
        """Do the onboarding of a new InfluxDB; one that was set up before says so and stays."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url("influxdb") + "/api/v2/setup", timeout=30) as reply:
            if not json.load(reply)["allowed"]:
                return
        asked = {"username": "haidang", "password": secrets.token_urlsafe(16), "org": ORG, "bucket": BUCKET,
                 "token": self.influx_token}  # fmt: skip
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            self.url("influxdb") + "/api/v2/setup", json.dumps(asked).encode(), headers, method="POST"
        )
        opener.open(request, timeout=60).close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything, last started first."""
        self._stack.close()
