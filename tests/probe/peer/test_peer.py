"""The peer over real sockets: what it serves, and what it survives."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from measurement.errors import ConfigError
from probe.peer import connection as connections
from probe.peer import server
from probe.peer.limits import Limits
from probe.peer.rates import Rates
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from tests.servers.loopback import http

KEY = b"0123456789abcdef0123456789abcdef"


@contextlib.contextmanager
def serving(**settings: object) -> Iterator[Peer]:
    peer = Peer(PeerSettings(host="127.0.0.1", port=0, **settings))  # type: ignore[arg-type]
    peer.start()
    try:
        yield peer
    finally:
        peer.stop(0.2)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving(site="here", asn=7552, ticket_key=KEY) as one:
        yield one


def talk(peer: Peer, data: bytes, wait_s: float = 5) -> bytes:
    """Send bytes and return everything until the peer closes."""
    with socket.create_connection(("127.0.0.1", peer.port), wait_s) as sock:
        sock.sendall(data)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := sock.recv(65_536):
                answer += part
        return answer


def metric(peer: Peer, name: str) -> float:
    """Return the sum of a metric over its labels."""
    text = peer.metrics.exposition().decode()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def settled(peer: Peer, connections_open: int = 0) -> None:
    """Wait until the connections of a test are gone."""
    deadline = time.monotonic() + 5
    while metric(peer, "haidang_peer_connections_open") > connections_open and time.monotonic() < deadline:
        time.sleep(0.01)


def test_tells_what_it_is(peer: Peer) -> None:
    said = http("GET", f"{peer.url}/v1/peer").data
    assert said["site"] == "here"
    assert said["asn"] == 7552
    assert "http" in said["methods"]
    assert said["stamp_port"] == peer.stamp_port
    assert http("GET", f"{peer.url}/healthz").text == "ok\n"


def test_sends_exactly_what_was_asked(peer: Peer) -> None:
    for count in (0, 1, 5_000_000):
        assert len(http("GET", f"{peer.url}/v1/download?bytes={count}").body) == count


def test_what_it_sends_cannot_be_compressed(peer: Peer) -> None:
    import zlib

    body = http("GET", f"{peer.url}/v1/download?bytes=1000000").body
    assert len(zlib.compress(body)) > 999_000


def test_counts_an_upload(peer: Peer) -> None:
    body = http("POST", f"{peer.url}/v1/upload", bytes(3_000_000)).body
    nanoseconds, received, held = body.splitlines()[-1].split()
    assert (int(received), int(held)) == (3_000_000, 0)
    assert int(nanoseconds) > 0


def test_counts_come_while_nothing_arrives(peer: Peer) -> None:
    with socket.create_connection(("127.0.0.1", peer.port), 5) as sock:
        sock.sendall(b"POST /v1/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        text = b""
        while text.partition(b"\r\n\r\n")[2].count(b"\n") < 5:
            text += sock.recv(4096)
    lines = [line.split() for line in text.partition(b"\r\n\r\n")[2].splitlines()[:5]]
    assert [int(line[1]) for line in lines] == [3] * 5
    gaps = [int(b[0]) - int(a[0]) for a, b in pairwise(lines)]
    assert max(gaps) < 1e9


REFUSED = [
    (b"GET /v1/download HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /v1/download?bytes=-1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /v1/download?bytes=99999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /v1/download?bytes=5&test=nobodys HTTP/1.1\r\nHost: x\r\n\r\n", 403),
    (b"POST /v1/upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    (b"POST /v1/upload HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
    (b"POST /v1/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    (b"POST /v1/test HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
    (b"GET /no/such/path HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"DELETE /v1/peer HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"GET /v1/ticket HTTP/1.1\r\nHost: x\r\n\r\n", 403),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /?" + b"&".join(b"a%d=1" % n for n in range(100)) + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 60_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"\r\n\r\n\x00\x00\x00\x00", 400),
    (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
]


@pytest.mark.parametrize(("request_bytes", "status"), REFUSED)
def test_refuses_what_is_wrong_and_lives_on(peer: Peer, request_bytes: bytes, status: int) -> None:
    answer = talk(peer, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert http("GET", f"{peer.url}/healthz").status == 200


def test_a_slow_head_ends(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", peer.port), 5) as sock:
        with contextlib.suppress(ConnectionError):
            for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 100:
                sock.sendall(bytes([byte]))
                time.sleep(0.02)
        with contextlib.suppress(ConnectionError):
            assert b"408" in sock.recv(4096)
    assert time.monotonic() - started < 4
    settled(peer)
    assert metric(peer, "haidang_peer_connections_open") == 0


def test_a_silent_connection_ends(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    assert talk(peer, b"") == b""


def test_half_open_connections_do_not_keep_others_out() -> None:
    with serving(limits=Limits(connections=20, connections_per_address=10)) as peer:
        idle = [socket.create_connection(("127.0.0.1", peer.port), 5) for _ in range(10)]
        deadline = time.monotonic() + 5
        while metric(peer, "haidang_peer_connections_open") < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert b"503" in talk(peer, b"")
        for sock in idle:
            sock.close()
        settled(peer)
        assert http("GET", f"{peer.url}/healthz").status == 200


def test_a_flood_of_connections_is_bounded() -> None:
    with serving(limits=Limits(connections=16)) as peer:
        before = threading.active_count()
        sockets = []
        for _ in range(300):
            with contextlib.suppress(OSError):
                sockets.append(socket.create_connection(("127.0.0.1", peer.port), 5))
        assert threading.active_count() - before <= 16
        for number, sock in enumerate(sockets):
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        settled(peer)
        assert http("GET", f"{peer.url}/healthz").status == 200
        assert metric(peer, "haidang_peer_connections_total") >= 300


def test_busy_tells_when_to_come_back() -> None:
    with serving(limits=Limits(tests=1, wait_s=1)) as peer:
        test_id = http("POST", f"{peer.url}/v1/test").data["test"]
        answer = talk(peer, b"POST /v1/test HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 429")
        assert b"Retry-After: " in answer
        assert http("POST", f"{peer.url}/v1/test?end={test_id}").status == 200
        assert http("POST", f"{peer.url}/v1/test").status == 201


def test_bytes_of_a_test_are_bounded() -> None:
    with serving(limits=Limits(test_bytes=5_000_000)) as peer:
        test_id = http("POST", f"{peer.url}/v1/test").data["test"]
        answer = talk(peer, f"GET /v1/download?bytes=90000000&test={test_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert 4_000_000 < len(answer) < 7_000_000


def test_a_slow_reader_does_not_outlast_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALL_SECONDS", 0.3)
    with serving(limits=Limits(test_s=1)) as peer, socket.create_connection(("127.0.0.1", peer.port), 5) as sock:
        sock.sendall(b"GET /v1/download?bytes=900000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        sock.recv(1000)
        started = time.monotonic()
        while metric(peer, "haidang_peer_connections_open") and time.monotonic() - started < 20:
            with contextlib.suppress(ConnectionError):
                sock.recv(20_000)
            time.sleep(0.05)
        assert time.monotonic() - started < 15


def test_metrics_add_up(peer: Peer) -> None:
    http("GET", f"{peer.url}/v1/download?bytes=1000")
    http("POST", f"{peer.url}/v1/upload", bytes(2000))
    http("POST", f"{peer.url}/v1/test")
    talk(peer, b"rubbish\r\n\r\n")
    settled(peer)
    accepted = peer.metrics.registry.get_sample_value("haidang_peer_connections_total", {"outcome": "accepted"})
    assert accepted == metric(peer, "haidang_peer_connections_open") + metric(
        peer, "haidang_peer_connections_closed_total"
    )
    admitted = peer.metrics.registry.get_sample_value("haidang_peer_tests_total", {"outcome": "admitted"})
    assert admitted == metric(peer, "haidang_peer_tests_ended_total") + metric(peer, "haidang_peer_tests_running")
    assert metric(peer, "haidang_peer_requests_total") == 4
    assert peer.metrics.registry.get_sample_value("haidang_peer_bytes_total", {"direction": "downlink"}) == 1000
    assert peer.metrics.registry.get_sample_value("haidang_peer_bytes_total", {"direction": "uplink"}) == 2000
    assert b"haidang_peer_tests_waiting 0.0" in http("GET", f"{peer.url}/metrics").body


def test_ticket_is_signed_and_used_up(peer: Peer) -> None:
    http("GET", f"{peer.url}/v1/download?bytes=2000000")
    ticket = http("GET", f"{peer.url}/v1/ticket").data["ticket"]
    body, _, mark = ticket.partition(".")
    wanted = base64.urlsafe_b64encode(hmac.new(KEY, body.encode(), hashlib.sha256).digest()).rstrip(b"=")
    assert mark.encode() == wanted
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["downlink_bps"] > 0
    assert claims["uplink_bps"] is None
    assert time.time() < claims["exp"] < time.time() + 700
    assert http("GET", f"{peer.url}/v1/ticket").status == 403


def test_the_collector_takes_it_once(peer: Peer) -> None:
    from collector.ticket import Tickets

    http("GET", f"{peer.url}/v1/download?bytes=2000000")
    ticket = http("GET", f"{peer.url}/v1/ticket").data["ticket"]
    tickets = Tickets(KEY, lambda: datetime.now(UTC))
    nonce = tickets.nonce_of(ticket)
    assert nonce is not None
    tickets.spend(nonce)
    assert tickets.nonce_of(ticket) is None
    assert Tickets(KEY[::-1], lambda: datetime.now(UTC)).nonce_of(ticket) is None


def test_rates_of_earlier_tests_are_not_added() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    for end, seconds in ((10.0, 10.0), (40.0, 10.0), (40.0, 10.0)):
        now[0] = end
        rates.note("a", "downlink", 1_000_000, seconds)
    assert rates.take("a") == {"downlink": 1_600_000.0}
    assert rates.take("a") is None
    rates.note("a", "uplink", 1, 1.0)
    now[0] += 700
    assert rates.take("a") is None


def test_a_page_of_another_origin_may_measure(peer: Peer) -> None:
    answer = talk(peer, b"OPTIONS /v1/download HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 204")
    assert b"Access-Control-Allow-Origin: *" in answer


def test_stops_gracefully() -> None:
    peer = Peer(PeerSettings(host="127.0.0.1", port=0))
    peer.start()
    test_id = http("POST", f"{peer.url}/v1/test").data["test"]
    done: list[int] = []
    url = f"{peer.url}/v1/download?bytes=200000000&test={test_id}"

    def fetch() -> None:
        done.append(len(http("GET", url).body))
        peer.admission.close(lease)

    lease = peer.admission.find(test_id)
    assert lease is not None
    thread = threading.Thread(target=fetch)
    thread.start()
    while not lease.streams and not done:
        time.sleep(0.001)
    port = peer.port
    peer.stop(10)
    thread.join(10)
    assert done == [200_000_000]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1).close()


def test_https(tmp_path: Path) -> None:
    from probe.doctor.ceiling import self_signed

    both = self_signed(tmp_path)
    assert both is not None
    with serving(certificate=str(both), key=str(both)) as peer:
        context = ssl.create_default_context(cafile=str(both))
        with (
            socket.create_connection(("127.0.0.1", peer.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
        ):
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        talk(peer, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # plain words to a TLS port
        assert http("GET", f"{peer.url}/healthz").status == 200


def test_reflections_are_counted(peer: Peer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        for size in (44, 10):
            sock.sendto(bytes(size), ("127.0.0.1", peer.stamp_port or 0))
        assert len(sock.recv(4096)) <= 44
        deadline = time.monotonic() + 5
        while metric(peer, "haidang_peer_reflector_packets_total") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert metric(peer, "haidang_peer_reflector_packets_total") >= 2


def test_a_taken_udp_port_is_no_obstacle() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        peer = Peer(PeerSettings(host="127.0.0.1", port=number))
        peer.start()
        try:
            assert peer.stamp_port not in (None, number)
        finally:
            peer.stop(0.1)
        with pytest.raises(ConfigError, match=str(number)):
            Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=number)).start()


def test_what_cannot_be_served_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Invalid certificate"):
        Peer(PeerSettings(certificate=str(tmp_path / "none.pem")))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Invalid address 127.0.0.1:{port}"):
            Peer(PeerSettings(host="127.0.0.1", port=port)).start()
