import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from measurement.errors import ConfigError
from measurement.vocabulary import LatencyMethod
from probe.latency import EchoPlan, Endpoint, collect, echo
from probe.latency.kernel_time import IS_LINUX
from probe.latency.stamp import Reflector
from probe.latency.stamp_packet import Reply, Request, ntp_of_ns, pack_reply, pack_request, unpack_reply, unpack_request

HOST = "127.0.0.1"
KEY = b"sixteen or more!" * 2


def plan(count: int = 30, **more: object) -> EchoPlan:
    return EchoPlan(**{"count": count, "interval_s": 0.002, "timeout_s": 1.0, "rng": random.Random(1), **more})


@contextmanager
def other_end(answer: Callable[[bytes, int], list[bytes]]) -> Iterator[int]:
    """A reflector of the test's own making: `answer(request, number)` gives the packets to send back."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.settimeout(0.05)
    done = threading.Event()

    def serve() -> None:
        number = 0
        while not done.is_set():
            try:
                data, source = sock.recvfrom(2048)
            except TimeoutError:
                continue
            for packet in answer(data, number):
                sock.sendto(packet, source)
            number += 1

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        done.set()
        thread.join()
        sock.close()


def reply_to(data: bytes, number: int, inside_ns: int = 0, **changes: object) -> bytes:
    request = unpack_request(data)
    now = time.time_ns()
    reply = Reply(
        number,
        ntp_of_ns(now),
        0x0001,
        request.session,
        ntp_of_ns(now - inside_ns),
        request.sequence,
        request.sent,
        1,
        255,
    )
    return pack_reply(reply._replace(**changes), None, data)


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("host", [HOST, "::1"])
def test_both_modes_over_both_families(key: bytes | None, host: str) -> None:
    with Reflector(host, 0, key=key) as reflector:
        result = echo(LatencyMethod.STAMP, Endpoint(host, reflector.port, key=key), plan())
    assert (result.sent_count, result.received_count, result.duplicate_count) == (30, 30, 0)
    assert (result.loss_ratio, result.loss_uplink_ratio, result.loss_downlink_ratio) == (0, 0, 0)
    assert 0.001 <= result.rtt_min_ms <= result.rtt_median_ms < 200
    assert reflector.counts == {"received": 30, "reflected": 30}


def test_one_socket_reflects_both_families() -> None:
    with Reflector("", 0) as reflector:
        for host in (HOST, "::1"):
            assert echo(LatencyMethod.STAMP, Endpoint(host, reflector.port), plan(5)).received_count == 5


@pytest.mark.skipif(not IS_LINUX, reason="kernel timestamps are Linux's")
def test_the_kernel_times_arrivals() -> None:
    with Reflector(HOST, 0) as reflector:
        assert collect(LatencyMethod.STAMP, Endpoint(HOST, reflector.port), plan(5)).has_kernel_time


def test_without_kernel_timestamps_it_still_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.latency.kernel_time.IS_LINUX", False)
    with Reflector(HOST, 0) as reflector:
        found = collect(LatencyMethod.STAMP, Endpoint(HOST, reflector.port), plan())
    assert not found.has_kernel_time
    assert all(rtt > 0 for rtt in found.rtt_ms)
    assert min(found.rtt_ms) < 20


@pytest.mark.parametrize(("ours", "theirs"), [(None, KEY), (KEY, None), (KEY, b"another key, long enough")])
def test_a_wrong_key_is_silence_on_both_sides(ours: bytes | None, theirs: bytes | None) -> None:
    with Reflector(HOST, 0, key=theirs) as reflector:
        result = echo(LatencyMethod.STAMP, Endpoint(HOST, reflector.port, key=ours), plan(5))
    assert result.loss_ratio == 1
    refused = reflector.counts["short"] + reflector.counts["unsealed"]
    # An open reflector cannot know that a sealed request is sealed; its open answer is then refused by the sender.
    assert refused == (0 if theirs is None else 5)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="At least 16"):
        Reflector(HOST, 0, key=b"short")
    with pytest.raises(ConfigError, match="At least 16"):
        echo(LatencyMethod.STAMP, Endpoint(HOST, 9, key=b"short"), plan(1))


def test_a_port_in_use_is_told() -> None:
    with Reflector(HOST, 0) as reflector, pytest.raises(ConfigError, match=f"UDP port {reflector.port}"):
        Reflector(HOST, reflector.port)


def test_the_reflectors_own_time_is_taken_off() -> None:
    def slow(data: bytes, number: int) -> list[bytes]:
        time.sleep(0.02)
        return [reply_to(data, number, inside_ns=20_000_000)]

    with other_end(slow) as port:
        found = collect(LatencyMethod.STAMP, Endpoint(HOST, port), plan(8, interval_s=0.1))
    # The fastest, since this reflector makes those wait that come while it sleeps.
    assert 0 < min(found.rtt_ms) < 10


def test_a_reflector_whose_clock_jumped_does_not_bend_the_result() -> None:
    def jumped(data: bytes, number: int) -> list[bytes]:
        return [reply_to(data, number, inside_ns=3600 * 10**9)]

    with other_end(jumped) as port:
        found = collect(LatencyMethod.STAMP, Endpoint(HOST, port), plan(5))
    assert all(0 < rtt < 1000 for rtt in found.rtt_ms)


def test_a_sender_whose_clock_jumps_measures_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shift = [0]
    true_time = time.time_ns

    def jumping() -> int:
        return true_time() + shift[0]

    def answer(data: bytes, number: int) -> list[bytes]:
        shift[0] += 86_400 * 10**9
        return [reply_to(data, number)]

    monkeypatch.setattr("probe.latency.kernel_time.time.time_ns", jumping)
    with other_end(answer) as port:
        found = collect(LatencyMethod.STAMP, Endpoint(HOST, port), plan(8))
    assert all(0 < rtt < 1000 for rtt in found.rtt_ms)


def test_loss_doubling_and_disorder_are_counted() -> None:
    held: list[bytes] = []

    def answer(data: bytes, number: int) -> list[bytes]:
        reply = reply_to(data, number)
        if number % 10 == 3:
            return []  # lost on the way down
        if number % 10 == 5:
            return [reply, reply]  # doubled on the way down
        if number % 10 == 7:
            held.append(reply)
            return []
        if number % 10 == 8:
            return [reply, held.pop()]
        return [reply]

    with other_end(answer) as port:
        result = echo(LatencyMethod.STAMP, Endpoint(HOST, port), plan(40))
    assert (result.sent_count, result.received_count) == (40, 36)
    assert (result.duplicate_count, result.reordered_count) == (4, 4)
    assert result.loss_uplink_ratio == 0
    assert result.loss_downlink_ratio == pytest.approx(0.1)


def test_lies_are_refused_not_believed() -> None:
    lies: list[Callable[[bytes, int], bytes]] = [
        lambda data, n: reply_to(data, n, sender_sent=ntp_of_ns(time.time_ns() - 10**6)),
        lambda data, n: reply_to(data, n, sender_sequence=4_000_000_000),
        lambda data, n: reply_to(data, n)[:40],
        lambda data, n: b"",
        lambda data, n: bytes(44),
        lambda data, n: random.Random(n).randbytes(44),
    ]
    with other_end(lambda data, n: [lie(data, n) for lie in lies]) as port:
        found = collect(LatencyMethod.STAMP, Endpoint(HOST, port), plan(10))
    assert found.refused_count >= 10 * (len(lies) - 1)
    assert all(rtt != rtt for rtt in found.rtt_ms)


def test_a_late_reply_is_lost() -> None:
    def slow(data: bytes, number: int) -> list[bytes]:
        time.sleep(0.15)
        return [reply_to(data, number)]

    with other_end(slow) as port:
        result = echo(LatencyMethod.STAMP, Endpoint(HOST, port), plan(2, interval_s=0.2, timeout_s=0.1))
    assert result.received_count == 0


def test_a_closed_port_is_loss_not_an_error() -> None:
    result = echo(LatencyMethod.STAMP, Endpoint(HOST, 9), plan(5))
    assert (result.sent_count, result.loss_ratio) == (5, 1.0)


def test_a_name_without_an_address_is_an_error_of_the_network() -> None:
    with pytest.raises(OSError):
        echo(LatencyMethod.STAMP, Endpoint("nosuch.invalid"), plan(1))


def test_told_to_stop_it_stops_and_counts_what_was_sent() -> None:
    stop = threading.Event()
    with Reflector(HOST, 0) as reflector:
        threading.Timer(0.2, stop.set).start()
        started = time.monotonic()
        result = echo(LatencyMethod.STAMP, Endpoint(HOST, reflector.port), plan(100_000), stop)
    assert time.monotonic() - started < 2
    assert result.received_count == result.sent_count > 10
    assert result.loss_ratio == 0


def test_intervals_are_memoryless_and_of_the_right_mean() -> None:
    drawn = plan(1, interval_s=0.05)
    intervals = [drawn.next_interval_s() for _ in range(20_000)]
    mean = sum(intervals) / len(intervals)
    assert mean == pytest.approx(0.05, rel=0.02)
    assert sum(i > 0.05 for i in intervals) / len(intervals) == pytest.approx(0.368, abs=0.02)
    assert max(intervals) <= 0.25


@pytest.mark.parametrize(
    "wrong",
    [{"count": 0}, {"interval_s": 0}, {"timeout_s": 0}, {"size_bytes": 43}, {"size_bytes": 1473}, {"duration_s": 0}],
)
def test_a_plan_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Invalid"):
        EchoPlan(**wrong)


# The reflector against what the Internet sends it.


@pytest.fixture
def raw() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.3)
        yield sock


def ask(sock: socket.socket, port: int, packet: bytes) -> bytes | None:
    sock.sendto(packet, (HOST, port))
    try:
        return sock.recv(2048)
    except TimeoutError:
        return None


def test_a_reply_is_exactly_as_long_as_its_request(raw: socket.socket) -> None:
    with Reflector(HOST, 0) as reflector:
        for size in (44, 45, 100, 1472):
            packet = pack_request(Request(1, 2, 3, 4)) + bytes(range(1, 1 + size - 44)) if size < 200 else bytes(size)
            answer = ask(raw, reflector.port, packet)
            assert answer is not None
            assert len(answer) == size
            assert answer[44:] == packet[44:]  # extensions come back as they were, not understood (RFC 8972)


@pytest.mark.parametrize("size", [0, 1, 14, 43])
def test_short_packets_get_no_answer(raw: socket.socket, size: int) -> None:
    with Reflector(HOST, 0) as reflector:
        assert ask(raw, reflector.port, bytes(size)) is None
        assert ask(raw, reflector.port, bytes(44)) is not None
    assert reflector.counts["short"] == 1


def test_each_session_is_counted_on_its_own_and_a_replay_counts_again(raw: socket.socket) -> None:
    with Reflector(HOST, 0) as reflector:
        first = pack_request(Request(0, 1, 1, session=1))
        numbers = [unpack_reply(ask(raw, reflector.port, first) or b"").sequence for _ in range(3)]
        other = unpack_reply(ask(raw, reflector.port, pack_request(Request(0, 1, 1, session=2))) or b"")
    assert numbers == [0, 1, 2]
    assert (other.sequence, other.session) == (0, 2)


def test_the_ttl_of_the_request_comes_back(raw: socket.socket) -> None:
    raw.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 77)
    with Reflector(HOST, 0) as reflector:
        reply = unpack_reply(ask(raw, reflector.port, pack_request(Request(0, 1, 1, 1))) or b"")
    assert reply.ttl == (77 if IS_LINUX else 0)


def test_sealed_replies_are_sealed_and_forgeries_get_none(raw: socket.socket) -> None:
    with Reflector(HOST, 0, key=KEY) as reflector:
        good = pack_request(Request(0, 1, 1, 1), KEY)
        assert unpack_reply(ask(raw, reflector.port, good) or b"", KEY) is not None
        assert ask(raw, reflector.port, good[:-1] + bytes([good[-1] ^ 1])) is None
        assert ask(raw, reflector.port, pack_request(Request(0, 1, 1, 1))) is None
    assert (reflector.counts["unsealed"], reflector.counts["short"]) == (1, 1)


def test_a_flood_is_thinned_and_the_books_balance(raw: socket.socket) -> None:
    with Reflector(HOST, 0, packets_per_s=50, burst_count=20) as reflector:
        packet = pack_request(Request(0, 1, 1, 1))
        for _ in range(300):
            raw.sendto(packet, (HOST, reflector.port))
        time.sleep(0.3)
        counts = dict(reflector.counts)
    assert 20 <= counts["reflected"] <= 60
    assert counts["received"] == counts["reflected"] + sum(counts.get(reason, 0) for reason in Reflector.REFUSALS)


def test_tables_are_bounded(raw: socket.socket) -> None:
    with Reflector(HOST, 0, sessions_most=10) as reflector:
        for session in range(1, 40):
            assert ask(raw, reflector.port, pack_request(Request(0, 1, 1, session))) is not None
        assert len(reflector._sessions) == 10


def test_rubbish_does_not_stop_it(raw: socket.socket) -> None:
    rng = random.Random(5)
    with Reflector(HOST, 0, key=KEY) as reflector:
        for _ in range(300):
            raw.sendto(rng.randbytes(rng.randrange(0, 300)), (HOST, reflector.port))
        assert echo(LatencyMethod.STAMP, Endpoint(HOST, reflector.port, key=KEY), plan(5)).received_count == 5
