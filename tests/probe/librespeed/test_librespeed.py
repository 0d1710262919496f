"""LibreSpeed's protocol: our client against our peer and the others' way of serving it, and the peer's endpoints."""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from measurement.vocabulary import Failure, StopReason, ThroughputMethod
from probe.librespeed import client
from probe.peer.limits import Limits
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.target import parse, resolve
from probe.throughput.plan import Direction, Measured, Plan
from tests.probe.hostile import answer, hostile


@contextlib.contextmanager
def serving(**limits: float) -> Iterator[Peer]:
    running = Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=-1, limits=Limits(**limits)))
    running.start()
    try:
        yield running
    finally:
        running.stop(1)


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with serving() as running:
        yield running


def measured(url: str, direction: Direction, **plan: object) -> Measured:
    limits = {"duration_s": 1.5, "timeout_s": 2.0, **plan}
    return client.measure(direction, resolve(parse(url)), Plan(**limits), lambda _: None)


@pytest.mark.parametrize("direction", list(Direction))
def test_it_fills_the_record(peer: Peer, direction: Direction) -> None:
    done = measured(peer.url, direction)
    assert done.failure is None
    result = done.result
    assert result.method is ThroughputMethod.LIBRESPEED
    assert result.stream_count == client.STREAMS[direction]
    assert result.stop_reason is StopReason.TIME
    assert result.goodput_bps > 50e6
    assert sum(result.slices_bytes) * 8 / (result.duration_ms / 1000) == pytest.approx(result.goodput_bps, rel=0.01)


@pytest.mark.parametrize("direction", list(Direction))
def test_many_streams_are_one_test_of_the_peer(direction: Direction) -> None:
    with serving(tests=1, tests_per_address=1) as peer:
        done = measured(peer.url, direction, stream_count=6)
        assert done.failure is None
        assert peer.admission.running_count <= 1


def test_a_byte_budget_ends_it(peer: Peer) -> None:
    result = measured(peer.url, Direction.DOWNLINK, byte_budget=5_000_000, duration_s=8).result
    assert result.stop_reason is StopReason.BYTES
    assert result.duration_ms < 3000


class Php(BaseHTTPRequestHandler):
    """The endpoints as LibreSpeed's PHP backend serves them: below backend/, in chunks, closing after each."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/backend/empty.php":
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/backend/garbage.php":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(100):
                    self.wfile.write(bytes(1 << 20))
            self.close_connection = True
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            data = self.rfile.read(min(left, 1 << 18))
            if not data:
                return
            left -= len(data)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("direction", list(Direction))
def test_a_php_backend(direction: Direction) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Php) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # a stream that is stopped in the middle resets its connection
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        done = measured(f"http://127.0.0.1:{server.server_address[1]}", direction)
        server.shutdown()
    assert done.failure is None
    assert done.result.goodput_bps > 20e6


@pytest.mark.parametrize(
    ("status", "failure"), [("404 Not Found", Failure.HTTP_REQUEST_FAILED), ("429 Too Many", Failure.SERVER_BUSY)]
)
def test_a_server_without_the_endpoints(status: str, failure: Failure) -> None:
    with hostile(lambda sock, line: answer(sock, status)) as port:
        done = measured(f"http://127.0.0.1:{port}", Direction.DOWNLINK)
    assert (done.result, done.failure.failure) == (None, failure)


@pytest.mark.parametrize("direction", list(Direction))
def test_a_server_that_answers_and_then_stalls(direction: Direction) -> None:
    def behave(sock: object, line: str) -> None:
        if line.startswith("GET /empty"):
            answer(sock, "200 OK")
        else:
            time.sleep(5)

    with hostile(behave) as port:
        started = time.monotonic()
        done = measured(f"http://127.0.0.1:{port}", direction, timeout_s=0.5, duration_s=1)
    assert time.monotonic() - started < 5
    assert done.result is None or done.result.goodput_bps >= 0
    assert done.failure is not None or direction is Direction.UPLINK  # what the kernel took of an upload has left


def test_nobody_listens() -> None:
    assert measured("http://127.0.0.1:9", Direction.UPLINK).failure.failure is Failure.CONNECTION_REFUSED


# The endpoints, as LibreSpeed's page asks them.


def asked(peer: Peer, verb: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=5)
    try:
        connection.request(verb, path, body=body, headers=headers)
        said = connection.getresponse()
        return said.status, {name.lower(): value for name, value in said.getheaders()}, said.read()
    finally:
        connection.close()


@pytest.mark.parametrize("place", ["/garbage", "/garbage.php", "/backend/garbage.php", "/backend/garbage"])
def test_garbage_is_as_long_as_asked_and_incompressible(peer: Peer, place: str) -> None:
    import zlib

    status, headers, body = asked(peer, "GET", f"{place}?cors=true&r=0.5&ckSize=2")
    assert (status, len(body)) == (200, 2 << 20)
    assert headers["access-control-allow-origin"] == "*"
    assert "no-store" in headers["cache-control"]
    assert len(zlib.compress(body[:262_144], 1)) > 262_144


@pytest.mark.parametrize(("asked_for", "given"), [("", 4), ("?ckSize=0", 1), ("?ckSize=1", 1)])
def test_garbage_has_bounds(peer: Peer, asked_for: str, given: int) -> None:
    assert len(asked(peer, "GET", f"/garbage{asked_for}")[2]) == given << 20


@pytest.mark.parametrize("wrong", ["x", "-1", "99999999", "1.5"])
def test_a_wrong_size_is_refused(peer: Peer, wrong: str) -> None:
    assert asked(peer, "GET", f"/garbage?ckSize={wrong}")[0] == 400


def test_empty_swallows_and_keeps_the_connection(peer: Peer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=5)
    for body in (bytes(3_000_000), b"x"):
        connection.request("POST", "/backend/empty.php?r=1", body=body)
        said = connection.getresponse()
        assert (said.status, said.read()) == (200, b"")
    connection.request("GET", "/empty")
    assert connection.getresponse().status == 200
    connection.close()


def test_empty_is_bounded(peer: Peer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=5)
    connection.putrequest("POST", "/empty")
    connection.putheader("Content-Length", str(1 << 31))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_get_ip_tells_the_caller_its_own_address(peer: Peer) -> None:
    status, _, body = asked(peer, "GET", "/backend/getIP.php?isp=true&r=1")
    assert (status, json.loads(body)) == (200, {"processedString": "127.0.0.1", "rawIspInfo": ""})


def test_a_preflight_is_allowed(peer: Peer) -> None:
    status, headers, _ = asked(peer, "OPTIONS", "/backend/empty.php", Origin="http://elsewhere")
    assert status == 204
    assert "POST" in headers["access-control-allow-methods"]


def test_an_address_that_used_up_its_hour_is_told_to_come_back() -> None:
    with serving(tests_per_address_hour=1) as peer:
        assert asked(peer, "GET", "/garbage?ckSize=1")[0] == 200
        time.sleep(3.3)  # a test without streams ends
        assert asked(peer, "GET", "/garbage?ckSize=1")[0] == 429
