"""A real collector in a process of its own, on loopback, and a caller that knows HTTP and nothing else."""

import gzip
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from archive.store import Archive
from collector import tables
from collector.access import Access, Role
from measurement.codec import encode
from measurement.record import Record

START_S = 90.0


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


def call(
    port: int,
    method: str,
    path: str,
    *,
    token: str | None = None,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = 30,
) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    sent = dict(headers or {})
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def array(records: list[Record]) -> bytes:
    return b"[" + b",".join(encode(r) for r in records) + b"]"


def lines(records: list[Record]) -> bytes:
    return b"\n".join(encode(r) for r in records)


class Running:
    """A collector from `start` to `stop`; the same archive may be started again."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.arguments = arguments
        self.port = 0
        self._child: subprocess.Popen[bytes] | None = None
        self.log = folder.parent / f"{folder.name}.log"
        with Archive(folder, create=True) as archive:
            tables.prepare(archive)

    def token(self, name: str, role: Role = Role.PROBE) -> str:
        with Archive(self.folder) as archive:
            return Access(archive).add(name, role)

    def start(self) -> Self:
        stream = self.log.open("ab")
        begin = self.log.stat().st_size
        self._child = subprocess.Popen(
            [sys.executable, "-m", "collector", "serve", "--archive", str(self.folder), "--port", "0", *self.arguments],
            stdout=stream,
            stderr=stream,
        )
        stream.close()
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            found = re.search(rb"serving https?://[^/]*:(\d+)/", self.log.read_bytes()[begin:])
            if found:
                self.port = int(found.group(1))
                return self
            if self._child.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(self.log.read_text())

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def kill(self) -> None:
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGKILL)
        self._child.wait(10)

    def stop(self) -> int:
        assert self._child is not None
        if self._child.poll() is None:
            self._child.terminate()
        return self._child.wait(20)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def call(self, method: str, path: str, **more: Any) -> Reply:
        return call(self.port, method, path, **more)

    def post(self, records: list[Record], token: str, **headers: str) -> Reply:
        return self.call(
            "POST",
            "/v1/records",
            token=token,
            body=array(records),
            headers={"Content-Type": "application/json", **headers},
        )

    def metrics(self) -> dict[str, float]:
        text = self.call("GET", "/metrics").body.decode()
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def stored(self) -> list[str]:
        with Archive(self.folder) as archive, archive.snapshot() as snapshot:
            return sorted(i for day in snapshot.days for i in snapshot.frame(day, ["record_id"])["record_id"])


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, 1)
