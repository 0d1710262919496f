"""The peer as an ndt7 server: our client, M-Lab's Go client, M-Lab's browser library, and clients that misbehave."""

import contextlib
import functools
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from measurement.vocabulary import Confidence, StopReason, ThroughputMethod
from probe.ndt7 import client
from probe.ndt7.frames import Close, Opcode, Reader, frame, head
from probe.ndt7.handshake import connect as upgrade
from probe.ndt7.model import decode
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.target import parse, resolve
from probe.throughput.plan import Direction, Measured, Plan, Progress
from tests.servers.certificate import certificate
from tests.servers.found import found
from tests.servers.ndt_server import ndt7_client

LIBRARY = Path("maps/assets/ndt7")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with serving() as running:
        yield running


@contextlib.contextmanager
def serving(**settings: object) -> Iterator[Peer]:
    running = Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=-1, **settings))
    running.start()
    try:
        yield running
    finally:
        running.stop(1)


def measured(url: str, direction: Direction, authority: str | None = None, **plan: object) -> Measured:
    return client.measure(
        direction, resolve(parse(url, authority)), Plan(**{"duration_s": 1.5, **plan}), lambda _: None
    )


@pytest.mark.parametrize("direction", list(Direction))
def test_our_client_fills_the_record(peer: Peer, direction: Direction) -> None:
    seen: list[Progress] = []
    done = client.measure(direction, resolve(parse(peer.url)), Plan(duration_s=1.5), seen.append)
    assert done.failure is None
    assert done.access.first_byte_ms > 0
    result = done.result
    assert (result.method, result.stream_count, result.stop_reason) == (ThroughputMethod.NDT7, 1, StopReason.TIME)
    assert result.goodput_bps > 50e6
    assert 1000 < result.duration_ms < 2500
    assert result.confidence is Confidence.LOW  # a second and a half is no ndt7 test
    counted = result.goodput_bps * result.duration_ms / 8000
    assert 0.4 * counted < sum(result.slices_bytes) < 1.01 * counted  # the last part of a slice is in none
    assert seen
    assert not seen[-1].is_warming


@pytest.mark.parametrize("direction", list(Direction))
def test_over_tls(tmp_path: Path, direction: Direction) -> None:
    identity = certificate(tmp_path)
    with serving(certificate=str(identity.certificate), key=str(identity.key)) as peer:
        url = peer.url.replace("127.0.0.1", "localhost")
        done = measured(url, direction, str(identity.certificate))
    assert done.failure is None
    assert done.access.tls_ms > 0
    assert done.result.goodput_bps > 20e6


@pytest.mark.parametrize("direction", list(Direction))
def test_a_byte_budget_ends_the_test(peer: Peer, direction: Direction) -> None:
    done = measured(peer.url, direction, byte_budget=2_000_000, duration_s=5)
    assert done.result.stop_reason is StopReason.BYTES
    assert done.result.duration_ms < 2000
    assert done.result.bytes_count < 60_000_000  # on loopback the kernel's buffers fill before anyone looks


@pytest.mark.slow
@pytest.mark.server("ndt7-client")
def test_m_labs_go_client(peer: Peer) -> None:
    events = ndt7_client(f"127.0.0.1:{peer.port}")
    summary = events[-1]
    for way in ("Download", "Upload"):
        assert summary[way]["Throughput"]["Value"] > 50
        assert summary[way]["Throughput"]["Unit"] == "Mbit/s"
        assert summary[way]["UUID"]
    assert summary["ClientIP"] == "127.0.0.1"
    kinds = [(e["Key"], (e["Value"] or {}).get("Test"), (e["Value"] or {}).get("Origin")) for e in events if "Key" in e]
    assert not [e for e in events if e.get("Key") == "error"]
    for way in ("download", "upload"):
        assert kinds.count(("measurement", way, "server")) >= 15
        assert ("complete", way, None) in kinds


PAGE = """<!doctype html><script src="ndt7.js"></script><script>
window.result = {};
ndt7.test(
  {userAcceptedDataPolicy: true, server: "%s", protocol: "ws",
   downloadworkerfile: "ndt7-download-worker.js", uploadworkerfile: "ndt7-upload-worker.js"},
  {error: (e) => { window.result.error = String(e); },
   downloadComplete: (d) => { window.result.download = d; },
   uploadComplete: (d) => { window.result.upload = d; }},
).then((code) => { window.result.code = code; }, (e) => { window.result.error = String(e); })
 .then(() => { window.done = true; });
</script>"""


@contextlib.contextmanager
def pages(folder: Path) -> Iterator[int]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.slow
@pytest.mark.server("chromium")
def test_m_labs_browser_library(peer: Peer, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    for name in ("ndt7.js", "ndt7-download-worker.js", "ndt7-upload-worker.js"):
        (tmp_path / name).write_bytes((LIBRARY / name).read_bytes())
    (tmp_path / "index.html").write_text(PAGE % f"127.0.0.1:{peer.port}")
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with pages(tmp_path) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(found("chromium")), args=flags)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/index.html")
        page.wait_for_function("window.done === true", timeout=60_000)
        result = json.loads(page.evaluate("JSON.stringify(window.result)"))
        browser.close()
    assert "error" not in result, result["error"]
    assert result["code"] == 0
    assert result["download"]["LastClientMeasurement"]["MeanClientMbps"] > 20
    assert result["upload"]["LastClientMeasurement"]["MeanClientMbps"] > 5
    served = result["upload"]["LastServerMeasurement"]["TCPInfo"]
    assert served["BytesReceived"] * 8 / served["ElapsedTime"] > 5


# Clients that want something else.


def asked(peer: Peer, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=5)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(400).decode()
    finally:
        connection.close()


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Key": "DOdm+5/Cm3WwvhfcAlhJoQ==",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Protocol": "net.measurementlab.ndt.v7",
}


@pytest.mark.parametrize(
    ("path", "without", "changed", "status"),
    [
        ("/ndt/v7/download", "Sec_WebSocket_Protocol", {}, 400),
        ("/ndt/v7/upload", "", {"Sec_WebSocket_Protocol": "chat"}, 400),
        ("/ndt/v7/upload", "Upgrade", {}, 426),
        ("/ndt/v7/download", "Sec_WebSocket_Key", {}, 400),
        ("/ndt/v7/download?early_exit=300", "", {}, 400),
        ("/ndt/v7/download?x=" + "y" * 4100, "", {}, 400),
        ("/ndt/v7/downward", "", {}, 404),
    ],
)
def test_what_is_no_ndt7_is_refused(peer: Peer, path: str, without: str, changed: dict[str, str], status: int) -> None:
    headers = {name: value for name, value in (UPGRADE | changed).items() if name != without}
    assert asked(peer, path, **headers)[0] == status


def test_the_answer_names_the_subprotocol(peer: Peer) -> None:
    with socket.create_connection(("127.0.0.1", peer.port), 5) as sock:
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in UPGRADE.items()]
        sock.sendall("\r\n".join(["GET /ndt/v7/upload HTTP/1.1", "Host: x", *lines, "", ""]).encode())
        answer = sock.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: Nhz+x95YebD6Uvd4nqPC2fomoUQ=\r\n" in answer  # the specification's own example
    assert b"Sec-WebSocket-Protocol: net.measurementlab.ndt.v7\r\n" in answer


@contextlib.contextmanager
def opened(peer: Peer, way: str, query: str = "") -> Iterator[tuple[socket.socket, Reader]]:
    with socket.create_connection(("127.0.0.1", peer.port), 5) as sock:
        ahead = upgrade(sock, f"ws://127.0.0.1:{peer.port}/ndt/v7/{way}{query}", "test/1")
        yield sock, Reader(sock, ahead, from_client=False)


def until(reader: Reader, opcode: Opcode, seconds: float = 5) -> bytes:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        message = reader.step()
        if message is not None and message.opcode is opcode:
            return message.payload
    raise AssertionError(f"no {opcode.name} came")


def test_a_ping_is_answered_with_its_payload(peer: Peer) -> None:
    with opened(peer, "upload") as (sock, reader):
        sock.sendall(frame(Opcode.PING, b"abc", is_client=True))
        assert until(reader, Opcode.PONG) == b"abc"


def test_the_first_messages_of_a_download_are_of_8_kib(peer: Peer) -> None:
    with opened(peer, "download") as (_, reader):
        sizes = []
        while len(sizes) < 17:
            message = reader.step()
            if message is not None and message.opcode is Opcode.BINARY:
                sizes.append(message.size_bytes)
    assert sizes == [1 << 13] * 16 + [1 << 14]


def test_an_upload_is_counted_to_the_byte(peer: Peer) -> None:
    with opened(peer, "upload") as (sock, reader):
        for _ in range(10):
            sock.sendall(head(Opcode.BINARY, 1 << 13, b"mask") + bytes(1 << 13))
        sock.sendall(frame(Opcode.TEXT, b'{"AppInfo": {"NumBytes": 1, "ElapsedTime": 1}}', is_client=True))
        sock.sendall(frame(Opcode.CLOSE, Close.NORMAL.to_bytes(2, "big"), is_client=True))
        told = []
        with contextlib.suppress(EOFError):
            while True:
                message = reader.step()
                if message is not None and message.opcode is Opcode.TEXT:
                    told.append(decode(message.payload))
                if message is not None and message.opcode is Opcode.CLOSE:
                    assert message.payload == Close.NORMAL.to_bytes(2, "big")
                    break
    assert told[-1].AppInfo.num_bytes == 10 << 13
    assert told[-1].TCPInfo.BytesReceived >= 10 << 13
    assert told[-1].ConnectionInfo.client.startswith("127.0.0.1:")
    assert (told[-1].Origin, told[-1].Test) == ("server", "upload")


def test_measurements_come_at_most_ten_a_second(peer: Peer) -> None:
    with opened(peer, "upload") as (_, reader):
        came, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            message = reader.step()
            came += message is not None and message.opcode is Opcode.TEXT
    assert 5 <= came <= 21


@pytest.mark.parametrize(
    ("way", "sent", "code"),
    [
        ("download", head(Opcode.BINARY, 4, b"mask") + b"abcd", Close.UNSUPPORTED),
        ("upload", head(Opcode.BINARY, 4) + b"abcd", Close.PROTOCOL_ERROR),  # not masked
        ("upload", b"\xf2\x80mask", Close.PROTOCOL_ERROR),
        ("upload", b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"mask", Close.TOO_BIG),
    ],
)
def test_breaking_the_rules_ends_the_test_with_the_reason(peer: Peer, way: str, sent: bytes, code: Close) -> None:
    with opened(peer, way) as (sock, reader):
        sock.sendall(sent)
        assert int.from_bytes(until(reader, Opcode.CLOSE)[:2], "big") == code


@pytest.mark.parametrize("way", ["download", "upload"])
def test_a_client_that_vanishes_costs_the_peer_nothing(peer: Peer, way: str) -> None:
    with opened(peer, way):
        assert peer.admission.running_count >= 1
    end = time.monotonic() + 5
    while peer.admission.running_count and time.monotonic() < end:
        time.sleep(0.05)
    assert peer.admission.running_count == 0


@pytest.mark.slow
def test_an_early_exit_ends_after_250_megabytes(peer: Peer) -> None:
    with opened(peer, "download", "?early_exit=250") as (_, reader):
        assert until(reader, Opcode.CLOSE, 12)[:2] == Close.NORMAL.to_bytes(2, "big")
    assert 250_000_000 <= reader.bulk_bytes <= 250_000_000 + (1 << 20)


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_dropped_within_fifteen_seconds(peer: Peer) -> None:
    with opened(peer, "download") as (_, _):
        started = time.monotonic()
        while peer._open and time.monotonic() - started < 20:
            time.sleep(0.1)
        assert time.monotonic() - started < 15
