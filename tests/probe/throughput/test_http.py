"""The method `http` against a real peer on loopback: both ways, both paths, limits kept."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from measurement.errors import ConfigError
from measurement.vocabulary import Confidence, Failure, StopReason
from probe.methods import METHODS, load
from probe.peer.limits import Limits
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.target import Target, parse, reachable, resolve
from probe.throughput.http import measure
from probe.throughput.interval import Interval
from probe.throughput.plan import Direction, Plan, Progress
from probe.throughput.result import confidence

BOTH = pytest.mark.parametrize("direction", list(Direction))


@pytest.fixture
def peer() -> Iterator[Peer]:
    one = Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=-1))
    one.start()
    yield one
    one.stop(0.1)


@pytest.fixture
def target(peer: Peer) -> Target:
    return resolve(parse(peer.url))


def quiet(progress: Progress) -> None:
    pass


@BOTH
@pytest.mark.parametrize("portable", [False, True])
def test_measures(target: Target, direction: Direction, portable: bool) -> None:
    seen: list[Progress] = []
    plan = Plan(duration_s=0.9, pretest_s=0.3, is_thorough=True, stream_count=2, portable=portable)
    measured = measure(direction, target, plan, seen.append)
    result = measured.result
    assert measured.failure is None
    assert result is not None
    assert result.goodput_bps is not None
    assert result.goodput_bps > 10e6
    assert result.stop_reason is StopReason.TIME
    assert result.stream_count == 2
    assert result.slices_bytes is not None
    assert result.duration_ms is not None
    counted = sum(result.slices_bytes) * 8 / (len(result.slices_bytes) * 0.05)
    assert counted == pytest.approx(result.goodput_bps, rel=0.25)
    assert sum(result.slices_bytes) <= (result.bytes_count or 0)
    assert (result.low_bps or 0) <= result.goodput_bps <= (result.high_bps or 0)
    assert {progress.direction for progress in seen} == {direction}
    assert measured.access is not None


@BOTH
def test_measures_where_the_system_has_no_poll(
    target: Target, direction: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(select, "poll", raising=False)
    plan = Plan(duration_s=0.8, pretest_s=0.3, is_thorough=True, stream_count=2, portable=True)
    measured = measure(direction, target, plan, quiet)
    assert measured.failure is None
    assert measured.result is not None
    assert (measured.result.goodput_bps or 0) > 10e6


@BOTH
def test_keeps_to_a_byte_budget(target: Target, direction: Direction) -> None:
    plan = Plan(duration_s=5, byte_budget=3_000_000, stream_count=1)
    result = measure(direction, target, plan, quiet).result
    assert result is not None
    assert result.stop_reason is StopReason.BYTES
    assert 0 < (result.bytes_count or 0) <= 3_300_000  # a retransmission or two beside
    assert result.confidence is Confidence.LOW


@BOTH
def test_over_tls(tmp_path: Path, direction: Direction) -> None:
    from probe.doctor.ceiling import self_signed

    both = self_signed(tmp_path)
    assert both is not None
    peer = Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=-1, certificate=str(both), key=str(both)))
    peer.start()
    try:
        target = resolve(parse(peer.url, str(both)))
        measured = measure(direction, target, Plan(duration_s=0.8, pretest_s=0.3, is_thorough=True), quiet)
    finally:
        peer.stop(0.1)
    assert measured.failure is None
    assert measured.result is not None
    assert (measured.result.goodput_bps or 0) > 10e6
    assert measured.access is not None
    assert measured.access.tls_ms is not None


def test_gives_its_place_back(peer: Peer, target: Target) -> None:
    for _ in range(3):
        measure(Direction.DOWNLINK, target, Plan(duration_s=0.5, pretest_s=0.1), quiet)
    assert peer.metrics.registry.get_sample_value("haidang_peer_tests_total", {"outcome": "admitted"}) == 3


def test_a_peer_with_no_place_is_busy() -> None:
    peer = Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=-1, limits=Limits(tests=1, wait_s=1)))
    peer.start()
    try:
        taken = peer.admission.open("192.0.2.1")
        peer.admission.enter(taken)
        measured = measure(Direction.DOWNLINK, resolve(parse(peer.url)), Plan(), quiet)
    finally:
        peer.stop(0.1)
    assert measured.result is None
    assert measured.failure is not None
    assert measured.failure.failure is Failure.SERVER_BUSY
    assert "come back in" in str(measured.failure)


def test_every_method_of_the_table_loads() -> None:
    assert all(callable(load(name)) for name in METHODS)
    with pytest.raises(ConfigError, match="Invalid method 'nothing'"):
        load("nothing")


@pytest.mark.parametrize(
    "bad", [{"duration_s": 0.1}, {"byte_budget": 5}, {"stream_count": 0}, {"stream_count": 99}, {"duration_s": 100}]
)
def test_plans_have_bounds(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Plan(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    ["", "peer", "ftp://peer", "http://", "http://u:p@peer", "http://peer?x=1", "http://peer:99999", "http://p:0"],
)
def test_urls_that_are_no_peer(url: str) -> None:
    with pytest.raises(ConfigError, match="Invalid peer"):
        parse(url)


def test_an_address_that_leads_nowhere_is_passed_over(target: Target) -> None:
    dead = target._replace(address="127.0.0.9", port=1)
    assert reachable([dead, target]) == target
    assert reachable([dead, dead._replace(address="127.0.0.8")]) == dead
    assert reachable([dead]) == dead


def test_a_starved_process_does_not_vouch_for_itself() -> None:
    interval = Interval(100.0, 99.0, 101.0)
    assert confidence(interval, 0.03) is Confidence.HIGH
    assert confidence(interval, 0.03, starved_ratio=0.2) is Confidence.MEDIUM
    assert confidence(interval, 0.005) is Confidence.MEDIUM
    assert confidence(interval, 0.001) is Confidence.LOW
    assert confidence(None, 0.03) is Confidence.LOW


def test_urls() -> None:
    assert parse("https://peer.example/a/").url == "https://peer.example:443/a"
    assert parse("http://[::1]:8080").url == "http://[::1]:8080"
    assert parse("http://[::1]:8080").socket_address == ("::1", 8080)
