"""The other end of the ingest benchmark: sends prepared requests over a few connections and times the answers.

It runs in a process of its own and does as little as it can: the requests lie ready in a file, and nothing of an
answer but its status is read.
"""

from __future__ import annotations

import random
import selectors
import socket
import struct
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
from isal import igzip

from measurement.codec import encode
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
        digits = noise.randbytes(11 * len(self.places)).hex()
        for number, place in enumerate(self.places):
            own = digits[22 * number : 22 * number + 22]
            at = f"{now_ms - int(own[:5], 16) * 3:012x}"  # within the last 52 minutes
            fresh = f"{at[:8]}-{at[8:]}-7{own[5:8]}-8{own[8:11]}-{own[10:]}"
            self.body[place : place + 36] = fresh.encode()
        body = igzip.compress(bytes(self.body), 1) if self.is_zipped else bytes(self.body)
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

    def take(self) -> bytes | None:
        size = self._stream.read(4)
        return self._stream.read(struct.unpack("<I", size)[0]) if len(size) == 4 else None


class _Connection:
    """One connection that has at most one request under way."""

    def __init__(self, port: int) -> None:
        self.stream = socket.create_connection(("127.0.0.1", port))
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream.setblocking(False)
        self._unsent = memoryview(b"")
        self._received = b""
        self.begun = 0.0

    def begin(self, request: bytes) -> bool:
        """Send a request; return whether all of it went out."""
        self._unsent, self._received, self.begun = memoryview(request), b"", time.perf_counter()
        return self.go_on()

    def go_on(self) -> bool:
        """Send what is left; return whether nothing is."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.stream.send(self._unsent) :]
        except BlockingIOError:
            return False
        return True

    def status(self) -> int | None:
        """Receive; return the status once the answer is whole."""
        part = self.stream.recv(262_144)
        if not part:
            raise ConnectionError("the collector closed the connection")
        self._received += part
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return None
        return int(head[9:12])


def send(port: int, path: Path, connections: int, until_s: float) -> dict[str, object]:
    """Send until the requests or the seconds run out; return how long each took and what was answered.

    One thread and one poll for all connections, so that the sender takes as little of the cores as can be.
    """
    source, times, statuses = _Source(path), [], Counter[int]()
    begin = time.perf_counter()
    with selectors.DefaultSelector() as ready:

        def next_on(connection: _Connection) -> None:
            request = source.take() if time.perf_counter() - begin < until_s else None
            if request is None:
                ready.unregister(connection.stream)
                connection.stream.close()
            else:
                wait(connection, has_sent=connection.begin(request))

        def wait(connection: _Connection, *, has_sent: bool) -> None:
            ready.modify(connection.stream, selectors.EVENT_READ if has_sent else selectors.EVENT_WRITE, connection)

        for connection in [_Connection(port) for _ in range(connections)]:
            ready.register(connection.stream, selectors.EVENT_READ, connection)
            next_on(connection)
        while ready.get_map():
            for key, events in ready.select():
                if events & selectors.EVENT_WRITE:
                    wait(key.data, has_sent=key.data.go_on())
                elif (status := key.data.status()) is not None:
                    times.append(time.perf_counter() - key.data.begun)
                    statuses[status] += 1
                    next_on(key.data)
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
