"""The server of ndt7: handlers of the peer that upgrade a connection and take it over."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import time
import uuid
from http import HTTPStatus
from urllib.parse import urlencode

from probe.ndt7 import spec
from probe.ndt7.frames import Close, FrameError, Message, Opcode, Reader, close, frame, head
from probe.ndt7.handshake import accept
from probe.ndt7.model import AppInfo, ConnectionInfo, Measurement, TCPInfo, encode
from probe.ndt7.tcp_counters import read_tcp_counters
from probe.peer.connection import BadRequest, PeerConnection, Request
from probe.peer.payload import send

WAKE_S = 0.1
LINGER_S = 2.0
"""How long the server waits for the other end's close."""
_NOT_NOW = (BlockingIOError, TimeoutError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_TCP_CONGESTION = getattr(socket, "TCP_CONGESTION", 13)
_rng = random.Random()


def download(connection: PeerConnection, request: Request) -> None:
    """Send binary messages for ten seconds."""
    most = _early_exit(request)
    test = _open(connection, request, "download")
    if test is not None:
        with contextlib.suppress(EOFError, OSError):
            test.send_load(most)
        test.end("downlink", test.sent_bytes)


def upload(connection: PeerConnection, request: Request) -> None:
    """Count binary messages for ten seconds, telling the client what arrived."""
    _early_exit(request)
    test = _open(connection, request, "upload")
    if test is not None:
        with contextlib.suppress(EOFError, OSError):
            test.receive_load()
        test.end("uplink", test.reader.bulk_bytes)


def _early_exit(request: Request) -> int | None:
    if len(urlencode(request.query)) > spec.QUERY_MOST_BYTES:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"Invalid query. At most {spec.QUERY_MOST_BYTES} bytes.")
    value = request.query.get(spec.EARLY_EXIT)
    if value is not None and value not in spec.EARLY_EXIT_VALUES:
        allowed = ", ".join(spec.EARLY_EXIT_VALUES)
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"Invalid {spec.EARLY_EXIT} {value!r}. One of {allowed}.")
    return None if value is None else spec.EARLY_EXIT_VALUES[value]


def _open(connection: PeerConnection, request: Request, name: str) -> _Test | None:
    answer = accept(request.path, request.headers)
    ahead = connection.take_over()
    with contextlib.suppress(OSError):  # the kernel may have no BBR; ndt7 then runs with what there is
        connection.socket.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, b"bbr")
    connection.socket.sendall(answer.data)
    return _Test(connection, name, ahead) if answer.is_open else None


class _Test:
    """One subtest on a connection that is ours."""

    def __init__(self, connection: PeerConnection, name: str, ahead: bytes) -> None:
        self.connection, self.socket, self.name = connection, connection.socket, name
        self.reader = Reader(connection.socket, ahead, from_client=True)
        self.sent_bytes = 0
        self.is_closing = False
        self.started = self.due = time.monotonic()
        self.info = ConnectionInfo(
            client=_endpoint(connection.socket.getpeername()),
            server=_endpoint(connection.socket.getsockname()),
            uuid=uuid.UUID(int=_rng.getrandbits(128), version=4).hex,
        )
        connection.set_time_limit(WAKE_S)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def send_load(self, most: int | None) -> None:
        """Send until the time, the client, the allowance or an early exit ends it, then close."""
        size, counter = spec.MESSAGE_LEAST_BYTES, self.connection.peer.metrics.bytes.labels("downlink")
        while self.elapsed < spec.RUNTIME_S and not self.is_closing:
            self.tell_if_due(self.sent_bytes)
            if not self.send_message(size):
                return
            self.sent_bytes += size
            counter.inc(size)
            if not self.connection.peer.admission.spend(self.connection.lease, size):
                break
            if most is not None and self.sent_bytes >= most:
                break
            size = spec.next_message_bytes(size, self.sent_bytes)
            while not self.is_closing and self.is_readable():
                self.read(is_load=False)
        self.say_goodbye()

    def send_message(self, size: int) -> bool:
        """Send one binary message whole; False where the connection took longer than a test may."""
        self.write(head(Opcode.BINARY, size), more=True)
        sent = 0
        while sent < size:
            try:
                sent += send(self.socket, self.sent_bytes + sent, size - sent)
            except _NOT_NOW:
                if self.elapsed > spec.RUNTIME_MOST_S:
                    return False
        return True

    def receive_load(self) -> None:
        """Count until the time, the client or the allowance ends it, then close."""
        counter, counted = self.connection.peer.metrics.bytes.labels("uplink"), 0
        while self.elapsed < spec.RUNTIME_S and not self.is_closing:
            self.read(is_load=True)
            if self.tell_if_due(self.reader.bulk_bytes):
                fresh, counted = self.reader.bulk_bytes - counted, self.reader.bulk_bytes
                counter.inc(fresh)
                if not self.connection.peer.admission.spend(self.connection.lease, fresh):
                    break
        counter.inc(self.reader.bulk_bytes - counted)
        self.tell(self.reader.bulk_bytes)
        self.say_goodbye()

    def read(self, *, is_load: bool) -> None:
        """Read once; the client's own measurements are welcome and not kept."""
        try:
            message = self.reader.step()
        except _NOT_NOW:
            return
        except FrameError as error:
            self.is_closing = True
            self.write(close(error.code, is_client=False))
            raise EOFError(str(error)) from None
        if message is not None:
            self.take(message, is_load)

    def take(self, message: Message, is_load: bool) -> None:
        if message.opcode is Opcode.PING:
            self.write(frame(Opcode.PONG, message.payload, is_client=False))
        elif message.opcode is Opcode.CLOSE:
            self.is_closing = True
        elif message.opcode is Opcode.BINARY and not is_load:
            self.write(close(Close.UNSUPPORTED, is_client=False))
            raise EOFError("The client sent a binary message during a download.")

    def is_readable(self) -> bool:
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        # poll, since a peer may hold more descriptors than select can name.
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    def tell_if_due(self, count: int) -> bool:
        """Send a measurement where its memoryless time has come."""
        if time.monotonic() < self.due:
            return False
        wait = _rng.expovariate(1 / spec.INTERVAL_MEAN_S)
        self.due = time.monotonic() + min(spec.INTERVAL_MOST_S, max(spec.INTERVAL_LEAST_S, wait))
        self.tell(count)
        return True

    def tell(self, count: int) -> None:
        elapsed = int(self.elapsed * 1e6)
        message = Measurement(
            AppInfo=AppInfo(elapsed_time=elapsed, num_bytes=count),
            ConnectionInfo=self.info,
            Origin="server",
            Test=self.name,
            TCPInfo=_tcp_info(self.socket, elapsed, count if self.name == "upload" else None),
        )
        self.write(frame(Opcode.TEXT, encode(message), is_client=False))

    def write(self, data: bytes, more: bool = False) -> None:
        """Write a small frame; a slow line may take its time, within a test's."""
        view = memoryview(data)
        # Without MSG_MORE the head of each message would travel in a packet of its own.
        flags = (getattr(socket, "MSG_MORE", 0),) if more and not isinstance(self.socket, ssl.SSLSocket) else ()
        while view:
            try:
                view = view[self.socket.send(view, *flags) :]
            except _NOT_NOW:
                if self.elapsed > spec.RUNTIME_MOST_S:
                    raise EOFError("The client reads nothing.") from None

    def say_goodbye(self) -> None:
        """Close in order; wait a little for the other end to agree, so that its last bytes are not reset."""
        was_asked, self.is_closing = self.is_closing, True
        self.write(close(Close.NORMAL, is_client=False))
        if was_asked:
            return
        until = min(self.started + spec.CONNECTION_MOST_S, time.monotonic() + LINGER_S)
        self.is_closing = False
        while not self.is_closing and time.monotonic() < until:
            self.read(is_load=True)

    def end(self, direction: str, count: int) -> None:
        self.connection.note_rate(direction, count, min(self.elapsed, spec.RUNTIME_S))


def _endpoint(address: tuple[str, int]) -> str:
    host = str(address[0]).removeprefix("::ffff:")
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"


def _tcp_info(sock: socket.socket, elapsed: int, received: int | None) -> TCPInfo | None:
    """Read the kernel's counters; where it has none, an upload's clients still need the bytes that came."""
    known = read_tcp_counters(sock)
    if known:
        return TCPInfo(ElapsedTime=elapsed, **known)
    return None if received is None else TCPInfo(BytesReceived=received, ElapsedTime=elapsed)
