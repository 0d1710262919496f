"""A peer that misbehaves gives a record with failure and operation, in time; never a hang, never a traceback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from measurement.codec import decode, encode
from measurement.record import Record
from measurement.vocabulary import Failure, Operation, Status
from probe.cycle import Cycle, run_cycle
from probe.target import parse
from probe.throughput.plan import Direction, Plan
from tests.lab.line import line, require
from tests.probe import hostile

DOWN, UP = (Direction.DOWNLINK,), (Direction.UPLINK,)


def run(
    url: str, directions: tuple[Direction, ...] = DOWN, authority: str | None = None, timeout_s: float = 0.7
) -> Record:
    plan = Plan(duration_s=2, pretest_s=0.5, timeout_s=timeout_s)
    cycle = Cycle(probe_id="p", plan=plan, idle_s=0.2, directions=directions)
    started = time.monotonic()
    record = run_cycle(parse(url, authority), cycle)
    assert time.monotonic() - started < cycle.longest_s
    assert time.monotonic() - started < 9
    assert decode(encode(record)).record_id == record.record_id
    return record


ANSWERS = [
    (hostile.stall, Failure.GENERIC_TIMEOUT_ERROR),
    (hostile.drip, Failure.GENERIC_TIMEOUT_ERROR),
    (hostile.close, Failure.EOF_ERROR),
    (hostile.reset_at_once, Failure.CONNECTION_RESET),
    (hostile.garbage, Failure.PROTOCOL_ERROR),
    (hostile.endless_head, Failure.PROTOCOL_ERROR),
    (hostile.says("204 No Content"), Failure.SERVER_BUSY),
    (hostile.says("429 Too Many Requests", headers="Retry-After: 30\r\n"), Failure.SERVER_BUSY),
    (hostile.says("503 Service Unavailable"), Failure.SERVER_BUSY),
    (hostile.says("404 Not Found"), Failure.HTTP_REQUEST_FAILED),
    (hostile.says("200 OK", b"no json"), Failure.PROTOCOL_ERROR),
    (hostile.says("200 OK", b"[" * 60_000), Failure.PROTOCOL_ERROR),
    (hostile.says("200 OK", b"[1]"), Failure.PROTOCOL_ERROR),
    (hostile.says("200 OK", b'{"stamp_port": "many"}'), Failure.PROTOCOL_ERROR),
    (hostile.says("200 OK", b'{"site": "%s"}' % (b"x" * 5000)), Failure.PROTOCOL_ERROR),
    (lambda sock, line: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{"), Failure.PROTOCOL_ERROR),
    (lambda sock, line: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), Failure.GENERIC_TIMEOUT_ERROR),
]


@pytest.mark.parametrize(("behaviour", "failure"), ANSWERS)
def test_wrong_answers(behaviour: hostile.Behaviour, failure: Failure) -> None:
    with hostile.hostile(behaviour) as port:
        record = run(f"http://127.0.0.1:{port}")
    assert (record.outcome.status, record.outcome.failure) == (Status.FAILED, failure)
    assert record.outcome.operation is Operation.TRANSFER
    assert record.access is not None
    assert record.access.connect_ms is not None


DOWNLOADS = [
    (hostile.download_then(lambda sock: sock.close()), Failure.EOF_ERROR),
    (hostile.download_then(hostile.reset), Failure.CONNECTION_RESET),
    (hostile.download_then(lambda sock: time.sleep(3)), Failure.TRANSFER_STALLED),
]


@pytest.mark.parametrize(("behaviour", "failure"), DOWNLOADS)
def test_download_that_breaks_leaves_what_was_measured(behaviour: hostile.Behaviour, failure: Failure) -> None:
    with hostile.hostile(behaviour) as port:
        record = run(f"http://127.0.0.1:{port}")
    assert (record.outcome.status, record.outcome.failure) == (Status.PARTIAL, failure)
    assert record.server is not None
    assert record.server.site == "nowhere"
    assert record.throughput is not None
    downlink = record.throughput.downlink
    assert downlink is not None
    assert downlink.stop_reason == "error"
    assert (downlink.bytes_count or 0) > 100_000


UPLOADS = [
    (hostile.upload_then(lambda sock: sock.close()), (Failure.EOF_ERROR, Failure.CONNECTION_RESET)),
    (hostile.upload_then(hostile.reset), (Failure.CONNECTION_RESET,)),
    (hostile.upload_then(lambda sock: time.sleep(3)), (Failure.TRANSFER_STALLED,)),
]


@pytest.mark.parametrize(("behaviour", "failures"), UPLOADS)
def test_upload_that_breaks_leaves_what_was_measured(
    behaviour: hostile.Behaviour, failures: tuple[Failure, ...]
) -> None:
    with hostile.hostile(behaviour) as port:
        record = run(f"http://127.0.0.1:{port}", UP)
    assert record.outcome.status is Status.PARTIAL
    assert record.outcome.failure in failures
    assert record.outcome.operation is Operation.TRANSFER
    assert record.throughput is not None
    assert record.throughput.uplink is not None
    assert record.throughput.uplink.stop_reason == "error"
    assert (record.throughput.uplink.bytes_count or 0) > 100_000


LIES = [
    (hostile.peer_then(hostile.says("429 Too Many Requests")), DOWN, Failure.SERVER_BUSY),
    (hostile.peer_then(hostile.says("200 OK", b"short")), DOWN, Failure.PROTOCOL_ERROR),
    (hostile.peer_then(hostile.garbage), UP, Failure.PROTOCOL_ERROR),
    (hostile.upload_counts(lambda count: b"1 2 3 4\n"), UP, Failure.PROTOCOL_ERROR),
    (hostile.upload_counts(lambda count: b"x" * 100), UP, Failure.PROTOCOL_ERROR),
    (
        hostile.upload_counts(lambda count: b"%d %d 0\n" % (time.monotonic_ns(), count + 2**40)),
        UP,
        Failure.PROTOCOL_ERROR,
    ),
    (hostile.upload_counts(hostile.clock(lambda ns, lines: ns + lines * 10**15)), UP, Failure.PROTOCOL_ERROR),
    (
        hostile.upload_counts(hostile.clock(lambda ns, lines: ns if lines < 20 else 7)),
        UP,
        Failure.TRANSFER_STALLED,
    ),
    (hostile.upload_counts(lambda count: b"%d 0 0\n" % time.monotonic_ns()), UP, Failure.TRANSFER_STALLED),
    (hostile.upload_counts(lambda count: b""), UP, Failure.TRANSFER_STALLED),
]


@pytest.mark.parametrize(("behaviour", "directions", "failure"), LIES)
def test_lies(behaviour: hostile.Behaviour, directions: tuple[Direction, ...], failure: Failure) -> None:
    with hostile.hostile(behaviour) as port:
        # A lie must not look like a stall on a machine that leaves the liar no time.
        record = run(
            f"http://127.0.0.1:{port}", directions, timeout_s=0.7 if failure is Failure.TRANSFER_STALLED else 3
        )
    assert record.outcome.failure is failure
    assert record.outcome.status is not Status.COMPLETE


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    record = run(f"http://127.0.0.1:{port}")
    assert record.outcome.failure is Failure.CONNECTION_REFUSED
    assert record.outcome.operation is Operation.CONNECT


def test_no_such_name() -> None:
    record = run("http://no-such-host.invalid:8080")
    assert record.outcome.operation is Operation.RESOLVE
    assert record.outcome.failure in (Failure.DNS_NXDOMAIN_ERROR, Failure.DNS_SERVER_FAILURE, Failure.DNS_NO_ANSWER)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for a name."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName={name}", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


@pytest.mark.parametrize(
    ("name", "is_trusted", "failure"),
    [
        ("IP:127.0.0.1", False, Failure.SSL_UNKNOWN_AUTHORITY),
        ("DNS:other.example", True, Failure.SSL_INVALID_HOSTNAME),
    ],
)
def test_tls_that_does_not_verify(tmp_path: Path, name: str, is_trusted: bool, failure: Failure) -> None:
    from probe.peer.server import Peer
    from probe.peer.state import PeerSettings

    chain, key = certificate(tmp_path, name)
    peer = Peer(PeerSettings(host="127.0.0.1", port=0, certificate=str(chain), key=str(key)))
    peer.start()
    try:
        record = run(peer.url, authority=str(chain) if is_trusted else None)
    finally:
        peer.stop(0.2)
    assert record.outcome.failure is failure
    assert record.outcome.operation is Operation.TLS_HANDSHAKE


def test_tls_where_there_is_none() -> None:
    with hostile.hostile(hostile.close) as port:
        record = run(f"https://127.0.0.1:{port}")
    assert record.outcome.operation is Operation.TLS_HANDSHAKE
    assert record.outcome.failure in (Failure.GENERIC_TIMEOUT_ERROR, Failure.EOF_ERROR, Failure.SSL_FAILED_HANDSHAKE)


@pytest.mark.root
def test_no_route() -> None:
    require()
    code = (
        "from probe.cycle import *; from probe.target import parse; from measurement.codec import encode;"
        "print(encode(run_cycle(parse('http://203.0.113.9:80'), Cycle(probe_id='p', idle_s=0.1))).decode())"
    )
    with line() as lab:
        record = decode(lab.run("probe", [sys.executable, "-c", code]))
    assert record.outcome.failure is Failure.NETWORK_UNREACHABLE
    assert record.outcome.operation is Operation.CONNECT


@pytest.mark.root
def test_a_resolver_that_never_answers() -> None:
    require()
    cycle = (
        "from probe.cycle import *; from probe.target import parse; from measurement.codec import encode;"
        "print(encode(run_cycle(parse('http://peer.example:80'), Cycle(probe_id='p', idle_s=0.1))).decode())"
    )
    bounded = (
        "import time; from probe.failures import NetworkFailure; from probe.target import addresses, parse\n"
        "began = time.monotonic()\n"
        "try: addresses(parse('http://peer.example:80'), 0.3)\n"
        "except NetworkFailure as failure: print(failure.operation, time.monotonic() - began < 1)"
    )
    with line() as lab:
        folder = Path("/etc/netns", lab.namespace("probe"))  # `ip netns exec` lays it over /etc
        folder.mkdir(parents=True)
        resolver = folder / "resolv.conf"
        try:
            silent = "add table inet t; add chain inet t in { type filter hook input priority 0; policy drop; }"
            lab.run("peer", ["nft", silent])
            resolver.write_text(f"nameserver {lab.peer_address}\noptions timeout:1 attempts:1\n")
            record = decode(lab.run("probe", [sys.executable, "-c", cycle]))
            resolver.write_text(f"nameserver {lab.peer_address}\noptions timeout:3 attempts:1\n")
            said = lab.run("probe", [sys.executable, "-c", bounded])
        finally:
            shutil.rmtree(folder)
    assert record.outcome.operation is Operation.RESOLVE
    assert record.outcome.failure in (Failure.DNS_SERVER_FAILURE, Failure.GENERIC_TIMEOUT_ERROR)
    assert said.split() == ["resolve", "True"]
