"""The other end of the ingest benchmark: sends prepared requests over a few connections and times the answers.

It runs in a process of its own and does as little as it can: the requests lie ready in a file, and nothing of an
answer but its status is read.
"""

from __future__ import annotations

import gzip
import random
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import msgspec

from measurement.codec import encode
from measurement.identity import uuid7
from tests.archive.sample import records

_HEAD = "POST /v1/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"


class _Template:
    """A batch of one probe, whose ids can be replaced."""

    def __init__(self, probe_id: str, token: str, size: int, seed: int, *, is_zipped: bool) -> None:
        self.body = bytearray(b"\n".join(encode(r) for r in records(size, seed=seed, probe_id=probe_id)) + b"\n")
        self.places: list[int] = []
        at = self.body.find(b'"record_id":"')
        while at >= 0:
            self.places.append(at + 13)
            at = self.body.find(b'"record_id":"', at + 50)
        self.is_zipped = is_zipped
        self.head = _HEAD.format(token=token) + ("Content-Encoding: gzip\r\n" if is_zipped else "")

    def request(self, noise: random.Random, now_ms: int) -> bytes:
        for place in self.places:
            fresh = uuid7(now_ms - noise.randrange(3_000_000), noise.randbytes(10))
            self.body[place : place + 36] = fresh.encode()
        body = gzip.compress(bytes(self.body), 1) if self.is_zipped else bytes(self.body)
        return f"{self.head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def prepare(path: Path, count: int, size: int, *, is_zipped: bool, tokens: dict[str, str], seed: int = 1) -> float:
    """Write `count` requests of `size` new records, each probe in turn; return the mean bytes of a record."""
    noise, now = random.Random(seed), int(time.time() * 1000)
    templates = [
        _Template(name, token, size, seed + index, is_zipped=is_zipped)
        for index, (name, token) in enumerate(tokens.items())
    ]
    with path.open("wb") as stream:
        for number in range(count):
            request = templates[number % len(templates)].request(noise, now)
            stream.write(struct.pack("<I", len(request)) + request)
    return len(templates[0].body) / size


class _Source:
    """Hands out the prepared requests, each once."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self._lock = threading.Lock()

    def take(self) -> bytes | None:
        with self._lock:
            size = self._stream.read(4)
            return self._stream.read(struct.unpack("<I", size)[0]) if len(size) == 4 else None


def _answer(stream: socket.socket) -> int:
    data = b""
    while b"\r\n\r\n" not in data:
        part = stream.recv(65_536)
        if not part:
            raise ConnectionError("the collector closed the connection")
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(rest) < length:
        rest += stream.recv(65_536)
    return int(head[9:12])


def send(port: int, path: Path, connections: int, until_s: float) -> dict[str, object]:
    """Send until the requests or the seconds run out; return how long each took and what was answered."""
    source = _Source(path)
    times: list[float] = []
    statuses: dict[int, int] = {}
    lock = threading.Lock()
    begin = time.perf_counter()

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while time.perf_counter() - begin < until_s:
                request = source.take()
                if request is None:
                    return
                start = time.perf_counter()
                stream.sendall(request)
                status = _answer(stream)
                with lock:
                    times.append(time.perf_counter() - start)
                    statuses[status] = statuses.get(status, 0) + 1

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": time.perf_counter() - begin,
        "times": sorted(times),
        "statuses": statuses,
        "cpu_s": time.process_time(),
    }


if __name__ == "__main__":
    port, path, connections, seconds = sys.argv[1:]
    result = send(int(port), Path(path), int(connections), float(seconds))
    sys.stdout.buffer.write(msgspec.json.encode(result))
