"""Our ndt7 client against M-Lab's server, against Locate, and against servers that misbehave."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from measurement.vocabulary import Failure, LatencyMethod, Operation, Status, StopReason
from probe.cycle import Cycle, run_cycle
from probe.ndt7 import client, locate
from probe.ndt7.frames import Opcode, Reader, frame, head
from probe.ndt7.handshake import accept
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.target import parse, resolve
from probe.throughput.plan import Direction, Measured, Plan
from tests.probe.hostile import answer, hostile, reset
from tests.servers.ndt_server import NdtServer


def measured(url: str, direction: Direction, authority: str | None = None, **plan: object) -> Measured:
    limits = {"duration_s": 2.0, "timeout_s": 1.0, **plan}
    return client.measure(direction, resolve(parse(url, authority)), Plan(**limits), lambda _: None)


@pytest.mark.server("ndt-server")
@pytest.mark.parametrize("direction", list(Direction))
def test_m_labs_server(ndt_server: NdtServer, direction: Direction) -> None:
    done = measured(ndt_server.url, direction)
    assert done.failure is None
    assert done.result.goodput_bps > 50e6
    assert done.result.rtt_min_ms < 50
    secured = f"https://localhost:{ndt_server.tls_port}"
    done = measured(secured, direction, str(ndt_server.certificate.certificate))
    assert done.failure is None
    assert done.result.goodput_bps > 20e6


@pytest.mark.server("ndt-server")
def test_m_labs_server_archives_what_we_were(ndt_server: NdtServer) -> None:
    measured(ndt_server.url, Direction.DOWNLINK, duration_s=0.5)
    end = time.monotonic() + 10
    while not (kept := [test["Download"] for test in ndt_server.archived() if "Download" in test]):
        assert time.monotonic() < end
        time.sleep(0.1)
    metadata = {item["Name"]: item["Value"] for item in kept[-1]["ClientMetadata"]}
    assert metadata["client_name"] == "haidang"


# Locate.


@contextlib.contextmanager
def peer() -> Iterator[Peer]:
    running = Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=-1))
    running.start()
    try:
        yield running
    finally:
        running.stop(1)


def located(port: int, token: str = "secret") -> bytes:
    """Locate v2's answer, in the form its service documents."""
    urls = {
        f"{scheme}:///ndt/v7/{way}": f"{scheme}://127.0.0.1:{port}/ndt/v7/{way}?access_token={token}&locate_version=v2"
        for scheme in ("ws", "wss")
        for way in ("download", "upload")
    }
    return json.dumps(
        {
            "results": [
                {
                    "machine": "mlab1-han01",
                    "hostname": "x",
                    "location": {"city": "Ha Noi", "country": "VN"},
                    "urls": urls,
                }
            ],
            "next_request": "later",
        }
    ).encode()


@pytest.fixture(autouse=True)
def forgotten() -> None:
    locate.nearest.cache_clear()


def test_locate_names_the_server_and_its_token_is_passed_on() -> None:
    asked: list[str] = []
    with peer() as running:

        def behave(sock: socket.socket, line: str) -> None:
            asked.append(line)
            answer(sock, "200 OK", located(running.port))

        with hostile(behave) as port:
            for direction in Direction:
                done = measured(f"http://127.0.0.1:{port}/v2/nearest/ndt/ndt7", direction, duration_s=0.5)
                assert done.failure is None
                assert done.result.goodput_bps > 1e6
    assert asked == ["GET /v2/nearest/ndt/ndt7 HTTP/1.1"]  # once for both directions


def test_a_whole_cycle_meets_the_server_that_locate_names() -> None:
    running = Peer(PeerSettings(host="127.0.0.1", port=0))
    running.start()
    with hostile(lambda sock, line: answer(sock, "200 OK", located(running.port))) as port:
        record = run_cycle(
            parse(f"http://127.0.0.1:{port}/v2/nearest/ndt/ndt7"),
            Cycle(probe_id="p", method="ndt7", idle_s=0.2, plan=Plan(duration_s=0.5)),
        )
    running.stop(1)
    assert record.outcome.status is Status.COMPLETE
    assert record.latency.idle.method is LatencyMethod.STAMP  # only the named server reflects
    assert record.throughput.uplink.goodput_bps > 1e6


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        ("204 No Content", b"", Failure.SERVER_BUSY),
        ("429 Too Many Requests", b"", Failure.SERVER_BUSY),
        ("500 Internal Server Error", b"", Failure.HTTP_REQUEST_FAILED),
        ("200 OK", b"<html>", Failure.PROTOCOL_ERROR),
        ("200 OK", b'{"results": []}', Failure.SERVER_BUSY),
        ("200 OK", b'{"results": [{"machine": "x", "urls": {"ws:///ndt/v7/download": "file:///etc/passwd"}}]}',
         Failure.PROTOCOL_ERROR),
        ("200 OK", b'{"results": [{"machine": 5}]}', Failure.PROTOCOL_ERROR),
    ],
)  # fmt: skip
def test_what_locate_says_against_it(status: str, body: bytes, failure: Failure) -> None:
    with hostile(lambda sock, line: answer(sock, status, body)) as port:
        done = measured(f"http://127.0.0.1:{port}/v2/nearest/ndt/ndt7", Direction.DOWNLINK)
    assert (done.result, done.failure.failure, done.failure.operation) == (None, failure, Operation.RESOLVE)


def test_m_labs_own_address_is_known() -> None:
    assert locate.is_locate(parse("https://locate.measurementlab.net"))
    assert not locate.is_locate(parse("https://peer.example"))


# Servers that misbehave: a result or a word, in time.

Script = Callable[[socket.socket], None]


@contextlib.contextmanager
def scripted(act: Script) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            with sock:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += sock.recv(4096)
                fields = dict(line.split(": ", 1) for line in data.decode().split("\r\n")[1:] if ": " in line)
                sock.sendall(accept("/", {name.lower(): value for name, value in fields.items()}).data)
                act(sock)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(10)


def burst(sock: socket.socket, count: int = 20) -> None:
    for _ in range(count):
        sock.sendall(head(Opcode.BINARY, 8192) + bytes(8192))


def test_a_server_that_stalls() -> None:
    def act(sock: socket.socket) -> None:
        burst(sock)
        time.sleep(3)

    with scripted(act) as port:
        started = time.monotonic()
        done = measured(f"http://127.0.0.1:{port}", Direction.DOWNLINK, duration_s=8)
    assert time.monotonic() - started < 6
    assert done.failure.failure is Failure.TRANSFER_STALLED
    assert done.result.bytes_count == 20 * 8192
    assert done.result.stop_reason is StopReason.ERROR


def test_a_server_that_resets_in_the_middle() -> None:
    def act(sock: socket.socket) -> None:
        burst(sock)
        time.sleep(0.3)
        reset(sock)

    with scripted(act) as port:
        done = measured(f"http://127.0.0.1:{port}", Direction.DOWNLINK)
    assert done.failure.failure is Failure.CONNECTION_RESET
    assert done.result.bytes_count == 20 * 8192


@pytest.mark.parametrize("direction", list(Direction))
def test_a_server_that_closes_at_once(direction: Direction) -> None:
    with scripted(lambda sock: None) as port:
        done = measured(f"http://127.0.0.1:{port}", direction)
    assert done.result is None
    assert done.failure.failure in (Failure.EOF_ERROR, Failure.CONNECTION_RESET)


def test_a_server_that_sends_garbage() -> None:
    with scripted(lambda sock: sock.sendall(b"\xff" * 1000)) as port:
        done = measured(f"http://127.0.0.1:{port}", Direction.DOWNLINK)
    assert (done.failure.failure, done.failure.operation) == (Failure.PROTOCOL_ERROR, Operation.TRANSFER)


def test_garbage_in_measurements_is_ignored_and_pings_are_answered() -> None:
    pongs: list[bytes] = []

    def act(sock: socket.socket) -> None:
        reader = Reader(sock, from_client=True)
        for text in (b"", b"{", b'{"TCPInfo": 1}', b"\xff\xfe"):
            sock.sendall(frame(Opcode.TEXT, text, is_client=False))
        burst(sock)
        sock.sendall(frame(Opcode.PING, b"tick", is_client=False))
        while not pongs:
            message = reader.step()
            if message is not None and message.opcode is Opcode.PONG:
                pongs.append(message.payload)
        time.sleep(0.3)
        burst(sock)
        sock.sendall(frame(Opcode.CLOSE, b"\x03\xe8", is_client=False))
        time.sleep(0.2)

    with scripted(act) as port:
        done = measured(f"http://127.0.0.1:{port}", Direction.DOWNLINK)
    assert pongs == [b"tick"]
    assert done.failure is None
    assert done.result.bytes_count == 40 * 8192
    assert done.result.stop_reason is StopReason.TIME


def test_an_upload_to_a_server_that_counts_nothing_has_no_figure() -> None:
    def act(sock: socket.socket) -> None:
        sock.settimeout(5)
        with contextlib.suppress(OSError):
            while sock.recv(65536):
                pass

    with scripted(act) as port:
        done = measured(f"http://127.0.0.1:{port}", Direction.UPLINK, duration_s=0.5)
    assert done.result is None


IMPOSSIBLE = [(10**18, 1000), (300_000, 10**15), (-5, 1000)]


@pytest.mark.parametrize(("elapsed_us", "received"), IMPOSSIBLE)
def test_a_server_that_counts_what_cannot_be_is_not_believed(elapsed_us: int, received: int) -> None:
    told = {"TCPInfo": {"ElapsedTime": elapsed_us, "BytesReceived": received}}

    def act(sock: socket.socket) -> None:
        sock.settimeout(5)
        with contextlib.suppress(OSError):
            while sock.recv(65536):
                sock.sendall(frame(Opcode.TEXT, json.dumps(told).encode(), is_client=False))

    with scripted(act) as port:
        done = measured(f"http://127.0.0.1:{port}", Direction.UPLINK, duration_s=0.5)
    assert done.result is None


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        ("404 Not Found", Failure.HTTP_REQUEST_FAILED),
        ("200 OK", Failure.HTTP_REQUEST_FAILED),
        ("429 Too Many Requests", Failure.SERVER_BUSY),
        ("503 Service Unavailable", Failure.SERVER_BUSY),
    ],
)
def test_a_server_that_does_not_upgrade(status: str, failure: Failure) -> None:
    with hostile(lambda sock, line: answer(sock, status)) as port:
        done = measured(f"http://127.0.0.1:{port}", Direction.DOWNLINK)
    assert (done.result, done.failure.failure) == (None, failure)


@pytest.mark.parametrize("said", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"x" * 20_000])
def test_a_server_that_speaks_something_else(said: bytes) -> None:
    with hostile(lambda sock, line: sock.sendall(said)) as port:
        done = measured(f"http://127.0.0.1:{port}", Direction.DOWNLINK)
    assert done.failure.failure is Failure.PROTOCOL_ERROR


def test_a_server_that_never_answers() -> None:
    with hostile(lambda sock, line: time.sleep(2)) as port:
        started = time.monotonic()
        done = measured(f"http://127.0.0.1:{port}", Direction.UPLINK)
    assert time.monotonic() - started < 3
    assert done.failure.failure is Failure.GENERIC_TIMEOUT_ERROR


def test_nobody_listens() -> None:
    done = measured("http://127.0.0.1:9", Direction.DOWNLINK)
    assert (done.failure.failure, done.failure.operation) == (Failure.CONNECTION_REFUSED, Operation.CONNECT)
