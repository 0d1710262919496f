import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from measurement.errors import InstrumentError
from measurement.vocabulary import LatencyMethod
from probe.latency import EchoPlan, Endpoint, collect, echo, icmp
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from tests.servers.certificate import certificate

HOST = "127.0.0.1"


def plan(count: int = 10, **more: object) -> EchoPlan:
    return EchoPlan(**{"count": count, "interval_s": 0.002, "timeout_s": 3.0, "rng": random.Random(1), **more})


def may_ping() -> bool:
    try:
        collect(LatencyMethod.ICMP, Endpoint(HOST), plan(1))
    except InstrumentError:
        return False
    return True


needs_icmp = pytest.mark.skipif(not may_ping(), reason="needs ICMP sockets: ping_group_range or CAP_NET_RAW")


@needs_icmp
@pytest.mark.parametrize("host", [HOST, "::1"])
def test_icmp_over_both_families(host: str) -> None:
    result = echo(LatencyMethod.ICMP, Endpoint(host), plan())
    assert (result.sent_count, result.received_count, result.loss_ratio) == (10, 10, 0)
    assert 0.001 <= result.rtt_min_ms < 20
    assert result.loss_uplink_ratio is None


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root")
@pytest.mark.parametrize("way", ["raw", "scapy"])
def test_the_ways_of_icmp_that_need_a_right(way: str) -> None:
    found = icmp.WAYS[way](Endpoint(HOST), plan(5, interval_s=0.02), None)
    assert [rtt == rtt and 0 < rtt < 1000 for rtt in found.rtt_ms] == [True] * 5


@pytest.mark.root
def test_the_datagram_socket_needs_no_privilege_once_the_system_allows_it() -> None:
    """In a namespace of its own, where the range may be opened, as an unprivileged user."""
    if not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("needs unshare and setpriv")
    code = (
        "from probe.latency import *\n"
        "print(collect(LatencyMethod.ICMP, Endpoint('127.0.0.1'), EchoPlan(count=3, interval_s=0.01)).rtt_ms)\n"
    )
    script = (
        "ip link set lo up && sysctl -qw net.ipv4.ping_group_range='0 2147483647' && "
        f'exec setpriv --bounding-set -all --inh-caps -all {sys.executable} -c "{code}"'
    )
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    if "unshare" in done.stderr or "setpriv" in done.stderr or "sysctl" in done.stderr:
        pytest.skip(f"needs namespaces: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert "nan" not in done.stdout
    assert done.stdout.count(",") == 2


def test_without_any_right_the_error_says_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(icmp, "WAYS", {"datagram": forbidden, "raw": forbidden, "scapy": forbidden})
    with pytest.raises(InstrumentError, match="ping_group_range"):
        collect(LatencyMethod.ICMP, Endpoint(HOST), plan(1))


@pytest.mark.parametrize("size", range(0, 40, 3))
def test_the_pinger_survives_any_packet(size: int) -> None:
    rng = random.Random(size)
    pinger = icmp.Pinger(socket.AF_INET, plan(1))
    for first in (0x00, 0x45, 0x4F, 0xFF):
        assert pinger.read(bytes([first]) * min(size, 1) + rng.randbytes(max(0, size - 1))) is None


def test_the_pinger_reads_its_own_reply_with_and_without_an_ip_header() -> None:
    pinger = icmp.Pinger(socket.AF_INET, plan(1))
    request = pinger.compose(7, 0)
    assert icmp.checksum(request) == 0
    reply = bytes([0]) + request[1:]
    assert pinger.read(reply).number == 7
    assert pinger.read(bytes([0x45]) + bytes(19) + reply).number == 7
    assert icmp.Pinger(socket.AF_INET, EchoPlan(rng=random.Random(2))).read(reply) is None


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wait_s = 0.0
    behaviour = "answer"

    def do_GET(self) -> None:
        time.sleep(self.wait_s)
        if self.behaviour == "hang up":
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def page(**settings: object) -> Iterator[int]:
    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    with Server((HOST, 0), type("Here", (Page,), settings)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server.server_address[1]
        server.shutdown()


def test_tcp_times_the_handshake_and_a_refusal_is_an_answer() -> None:
    with page() as port:
        assert echo(LatencyMethod.TCP, Endpoint(HOST, port), plan()).received_count == 10
    refused = echo(LatencyMethod.TCP, Endpoint(HOST, 9), plan(5))
    assert (refused.received_count, refused.loss_ratio) == (5, 0)


def test_http_times_the_first_byte_not_the_connection() -> None:
    with page(wait_s=0.03) as port:
        result = echo(LatencyMethod.HTTP, Endpoint(HOST, port), plan(5))
    assert (result.received_count, result.method) == (5, LatencyMethod.HTTP)
    assert 30 <= result.rtt_min_ms < 60


def test_http_over_tls_trusts_the_given_authority_and_checks_the_name(tmp_path: Path) -> None:
    identity = certificate(tmp_path)
    ours, key = str(identity.certificate), str(identity.key)
    peer = Peer(PeerSettings(host=HOST, port=0, stamp_port=-1, certificate=ours, key=key))
    peer.start()
    there = Endpoint(HOST, peer.port, path="/healthz", is_tls=True, name="localhost")
    trusted = echo(LatencyMethod.HTTP, there._replace(authority=ours), plan(3))
    unknown = echo(LatencyMethod.HTTP, there, plan(2))
    misnamed = echo(LatencyMethod.HTTP, there._replace(authority=ours, name="other.example"), plan(2))
    peer.stop(1)
    assert (trusted.received_count, unknown.received_count, misnamed.received_count) == (3, 0, 0)


def test_http_of_a_server_that_hangs_up_is_loss() -> None:
    with page(behaviour="hang up") as port:
        assert echo(LatencyMethod.HTTP, Endpoint(HOST, port), plan(3)).loss_ratio == 1


def test_a_stalling_server_costs_its_timeout_and_no_more() -> None:
    with socket.create_server((HOST, 0)) as stalled:
        started = time.monotonic()
        result = echo(LatencyMethod.HTTP, Endpoint(HOST, stalled.getsockname()[1]), plan(3, timeout_s=0.2))
    assert result.loss_ratio == 1
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("method", [LatencyMethod.TCP, LatencyMethod.HTTP])
def test_the_sequential_methods_stop_when_told(method: LatencyMethod) -> None:
    stop = threading.Event()
    with page() as port:
        threading.Timer(0.2, stop.set).start()
        started = time.monotonic()
        result = echo(method, Endpoint(HOST, port), plan(100_000, interval_s=0.01), stop)
    assert time.monotonic() - started < 1.5
    assert result.received_count == result.sent_count > 2
