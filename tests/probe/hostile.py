"""Peers that misbehave on purpose: scripted, on loopback, one behaviour a function."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

Behaviour = Callable[[socket.socket, str], None]
"""Gets the connection and the first line of a request (`GET /v1/peer HTTP/1.1`); called once for each request."""


def read_request(sock: socket.socket) -> str:
    """Read a head; '' where there is none."""
    head = b""
    while b"\r\n\r\n" not in head:
        try:
            data = sock.recv(1)  # not a byte of the body
        except OSError:
            return ""
        if not data:
            return ""
        head += data
    return head.split(b"\r\n", 1)[0].decode("latin-1")


@contextlib.contextmanager
def hostile(behave: Behaviour) -> Iterator[int]:
    """Serve a behaviour; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while line := read_request(sock):
                behave(sock, line)

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            connections.append(sock)
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for sock in connections:
            sock.close()


def answer(sock: socket.socket, status: str, body: bytes = b"", headers: str = "") -> None:
    """Send a whole answer."""
    sock.sendall(f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def reset(sock: socket.socket) -> None:
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def stall(sock: socket.socket, line: str) -> None:
    """Say nothing."""
    time.sleep(0.05)


def close(sock: socket.socket, line: str) -> None:
    """Close instead of answering."""
    sock.close()


def reset_at_once(sock: socket.socket, line: str) -> None:
    """Reset instead of answering."""
    reset(sock)


def garbage(sock: socket.socket, line: str) -> None:
    """Answer what is no HTTP."""
    sock.sendall(b"\x16\x03\x01\x02\x00 this is no HTTP at all\r\n\r\n" * 20)


def endless_head(sock: socket.socket, line: str) -> None:
    """Send a head that does not end."""
    sock.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(20_000):
        sock.sendall(b"X-%d: %s\r\n" % (number, b"y" * 100))


def drip(sock: socket.socket, line: str) -> None:
    """Send a head one byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500:
        sock.sendall(bytes([byte]))
        time.sleep(0.05)


def says(status: str, body: bytes = b"", headers: str = "") -> Behaviour:
    """Answer everything alike."""
    return lambda sock, line: answer(sock, status, body, headers)


def peer_then(test: Behaviour) -> Behaviour:
    """Behave like a peer until the test itself."""

    def behave(sock: socket.socket, line: str) -> None:
        if "/v1/peer" in line:
            answer(sock, "200 OK", b'{"stamp_port": null, "site": "nowhere"}')
        elif "/v1/test" in line:
            answer(sock, "201 Created", b'{"test": "abc"}')
        else:
            test(sock, line)

    return behave


def asked_bytes(line: str) -> str:
    """Return the count a download asks for."""
    return line.partition("bytes=")[2].partition("&")[0]


def download_then(end: Callable[[socket.socket], None], seconds: float = 0.6) -> Behaviour:
    """Send at about 80 Mbit/s for a while, then do something else; take uploads as they should be."""

    def behave(sock: socket.socket, line: str) -> None:
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {asked_bytes(line)}\r\n\r\n".encode())
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sock.sendall(bytes(100_000))
            time.sleep(0.01)
        end(sock)

    return peer_then(behave)


def upload_counts(tell: Callable[[int], bytes]) -> Behaviour:
    """Swallow an upload and answer each piece by what `tell` makes of the count so far."""

    def behave(sock: socket.socket, line: str) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        received = 0
        while data := sock.recv(65_536):
            received += len(data)
            sock.sendall(tell(received))

    return peer_then(behave)


def upload_then(end: Callable[[socket.socket], None], seconds: float = 0.6) -> Behaviour:
    """Swallow an upload at about 80 Mbit/s and count it truly for a while, then do something else."""

    def behave(sock: socket.socket, line: str) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        received, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            received += len(sock.recv(100_000))
            sock.sendall(b"%d %d 0\n" % (time.monotonic_ns(), received))
            time.sleep(0.01)
        end(sock)

    return peer_then(behave)


def clock(told_ns: Callable[[int, int], int]) -> Callable[[int], bytes]:
    """Count truly, on a clock that says `told_ns(nanoseconds, lines so far)`."""
    lines = itertools.count()
    return lambda count: b"%d %d 0\n" % (told_ns(time.monotonic_ns(), next(lines)), count)
