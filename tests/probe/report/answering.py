"""An HTTP server on loopback that answers as it is told, and keeps what it was sent."""

import gzip
import json
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = tuple[int, dict[str, str], Any]


class Answering(ThreadingHTTPServer):
    """`decide` gets path and the records of a request, and returns status, headers, body."""

    daemon_threads = True

    def __init__(self, decide: Callable[[str, list[dict]], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.decide, self.requests = decide, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_GET(self) -> None:
        self._answer([])

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        self._answer([json.loads(line) for line in raw.splitlines()])

    def _answer(self, records: list[dict]) -> None:
        self.server.requests.append((self.path, dict(self.headers), records))
        status, headers, body = self.server.decide(self.path, records)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(decide):
    server = Answering(decide)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
