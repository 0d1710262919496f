"""An example of a receiver of Alertmanager's web hook: writes each message down in both languages, orders retests.

`/retest` asks the collector for one test against a second peer by each fixed probe that measured in the alert's area
within two days (InfluxDB tells which). People are paged by another route, a little later.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import click

from measurement.columns import area_column
from measurement.errors import DeliveryError

MOST_BYTES = 1 << 20
MOST_RETESTS = 10
"""Probes asked for one alert: a fault needs a witness or two, not a stampede."""


class Message(NamedTuple):
    """One notification of Alertmanager."""

    route: str
    status: str
    group: dict[str, str]
    alerts: list[dict[str, Any]]

    def lines(self) -> list[str]:
        """Write it for people, Vietnamese first."""
        lines = []
        for alert in self.alerts:
            notes = alert.get("annotations", {})
            mark = "●" if alert.get("status") == "firing" else "○ đã hết / resolved:"
            lines.append(f"{mark} {notes.get('title_vi', '')}: {notes.get('summary_vi', '')}")
            lines.append(f"  {notes.get('title_en', '')}: {notes.get('summary_en', '')}")
        return lines


def read(route: str, body: bytes) -> Message:
    """Read a web hook's body.

    Raises
    ------
    ValueError
        Where it is none.
    """
    told = json.loads(body)
    if not isinstance(told, dict) or not isinstance(told.get("alerts"), list):
        raise ValueError("no alerts")
    return Message(route, str(told.get("status")), dict(told.get("groupLabels") or {}), list(told["alerts"]))


class Retests:
    """Asks the collector for retests."""

    def __init__(
        self, collector: str, admin_token: str, influx: str, influx_token: str, bucket: str, peers: list[str]
    ) -> None:
        """Name the doors; `peers` are the second peers to test against."""
        self._collector, self._admin_token = collector, admin_token
        self._influx, self._influx_token, self._bucket = influx, influx_token, bucket
        self._peers = peers
        self._ordered: dict[str, float] = {}

    def probes(self, layer: str, area: str, operator: str) -> list[str]:
        """Return fixed probes that measured there within two days."""
        match = {"mode": "scheduled", area_column(layer): area, "network_operator": operator}
        where = " and ".join(f"r[{json.dumps(name)}] == {json.dumps(value)}" for name, value in match.items())
        flux = (
            f'import "influxdata/influxdb/schema" schema.tagValues(bucket: {json.dumps(self._bucket)}, '
            f'tag: "probe_id", predicate: (r) => r._measurement == "test" and {where}, start: -2d)'
        )
        body = json.dumps({"query": flux, "dialect": {"header": False, "annotations": []}}).encode()
        text = _call("POST", f"{self._influx}/api/v2/query?org=haidang", body, f"Token {self._influx_token}")
        return sorted({line.split(",")[-1].strip() for line in text.splitlines() if line.strip()})[:MOST_RETESTS]

    def order(self, labels: dict[str, str]) -> list[str]:
        """Hand a task to the probes of an alert's area; return their ids. The same alert gives the same tasks."""
        layer, area, operator = (labels.get(name, "") for name in ("layer", "area", "operator"))
        if not (layer and area and operator):
            return []
        probes = self.probes(layer, area, operator)
        hour = int(time.time() // 3600)
        for probe in probes:
            task = {"id": f"retest-{hour}-{probe}"[:64], "schedule": "once", "campaign": f"retest {layer} {area}"}
            body = json.dumps({"probe_id": probe, "task": task | {"peers": self._peers}}).encode()
            _call("POST", f"{self._collector}/v1/tasks", body, f"Bearer {self._admin_token}")
            self._ordered[str(task["id"])] = time.monotonic()
        self._forget()
        return probes

    def _forget(self) -> None:
        """Take back what is two hours old: a probe that was away shall not retest what is long over."""
        old = [task for task, at in self._ordered.items() if time.monotonic() - at > 7200]
        for task in old:
            del self._ordered[task]
            _call("DELETE", f"{self._collector}/v1/tasks/{task}", None, f"Bearer {self._admin_token}")


def _call(method: str, url: str, body: bytes | None, authorization: str) -> str:
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as reply:
            return str(reply.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            raise DeliveryError(f"{url}: HTTP {error.code} {error.read(300).decode(errors='replace')}") from None
    except (OSError, HTTPException) as error:
        raise DeliveryError(f"{url}: {error}") from None


class Receiver:
    """Serves the web hook; every message goes to `journal` as a JSON line and to `tell` for people."""

    def __init__(
        self, host: str, port: int, journal: Path, retests: Retests | None,
        tell: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
    ) -> None:  # fmt: skip
        """Bind the address."""
        self.messages: list[Message] = []
        self._journal, self._retests, self._tell = journal, retests, tell
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if not 0 < length <= MOST_BYTES:
                    return self.send_error(413)
                try:
                    receiver.take(read(self.path.strip("/"), self.rfile.read(length)))
                except ValueError as error:
                    return self.send_error(400, str(error)[:100])
                except DeliveryError as error:  # Alertmanager tries again
                    receiver._tell(f"retest not ordered: {error}")
                    return self.send_error(503)
                self.send_response(200)
                self.end_headers()
                return None

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok\n")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer((host, port), Handler)

    def take(self, message: Message) -> None:
        """Keep a message, order retests where it is for that."""
        ordered = None
        if message.route == "retest" and self._retests is not None:
            firing = [alert for alert in message.alerts if alert.get("status") == "firing"]
            ordered = sorted({probe for alert in firing for probe in self._retests.order(alert.get("labels", {}))})
        with self._lock:
            self.messages.append(message)
            with self._journal.open("a", encoding="utf-8") as file:
                row = message._asdict() | {"received_at": time.time(), "retests": ordered}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if message.route != "heartbeat":
            told = [f"{time.strftime('%H:%M:%S')} {message.route} {message.status} {message.group}", *message.lines()]
            self._tell("\n".join(told if ordered is None else [*told, f"  retest ordered from {len(ordered)} probes"]))

    def start(self) -> None:
        """Serve on a thread."""
        threading.Thread(target=self.server.serve_forever, name="webhook", daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9095, show_default=True, type=click.IntRange(0, 65_535), help="Port.")
@click.option(
    "--journal", type=click.Path(path_type=Path), required=True, help="File for the messages, a JSON line each."
)
@click.option("--collector", help="Collector that hands out retests; without it none are ordered.")
@click.option("--admin-token-file", type=click.Path(path_type=Path, exists=True), help="Token of role admin there.")
@click.option("--influx-url", help="InfluxDB that knows which probes measured where.")
@click.option("--influx-token-file", type=click.Path(path_type=Path, exists=True), help="Its token.")
@click.option("--bucket", default="haidang", show_default=True, help="Its bucket.")
@click.option("--second-peer", "peers", multiple=True, metavar="URL", help="Peer of retests; else the probe's own.")
def main(
    host: str, port: int, journal: Path, collector: str | None, admin_token_file: Path | None, influx_url: str | None,
    influx_token_file: Path | None, bucket: str, peers: tuple[str, ...],
) -> None:  # fmt: skip
    """Receive alerts of Alertmanager: write them down in both languages, order retests.

    \b
    Example:
      python stack/webhook.py --journal messages.ndjson --collector http://127.0.0.1:8080 --admin-token-file admin \\
          --influx-url http://127.0.0.1:8086 --influx-token-file influx
    """
    retests = None
    if collector and influx_url and admin_token_file and influx_token_file:
        admin, influx = (path.read_text("utf-8").strip() for path in (admin_token_file, influx_token_file))
        retests = Retests(collector, admin, influx_url, influx, bucket, list(peers))
    receiver = Receiver(host, port, journal, retests)
    print(f"listening on {host}:{port}; retests {'are' if retests else 'are not'} ordered", file=sys.stderr, flush=True)
    receiver.server.serve_forever()


if __name__ == "__main__":
    main()
