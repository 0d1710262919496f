"""Which peer is chosen, how it is said, and what happens when it fails."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from measurement.codec import decode
from measurement.errors import ConfigError
from measurement.vocabulary import Failure, LatencyMethod, Operation, Status
from probe import nearest
from probe.cycle import Cycle, run_cycle
from probe.nearest import Standing, nearest_of_each, ranked, stand
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.servers import Candidate, Role, allowed, load
from probe.target import Target
from probe.throughput.plan import Plan
from tests.probe.hostile import hostile, stall

PROGRAM = str(Path(sys.executable).with_name("haidang-probe"))


@contextlib.contextmanager
def peers(count: int, **settings: object) -> Iterator[list[Peer]]:
    running = [Peer(PeerSettings(host="127.0.0.1", port=0, **settings)) for _ in range(count)]
    for peer in running:
        peer.start()
    try:
        yield running
    finally:
        for peer in running:
            peer.stop(0.5)


def at(rtt_ms: float | None, name: str, role: Role | None = None) -> Standing:
    return Standing(candidate=Candidate(url=f"http://{name}", role=role), rtt_ms=rtt_ms)


def names(standings: list[Standing]) -> list[str]:
    return [standing.candidate.url.removeprefix("http://") for standing in standings]


def test_the_nearest_is_first_and_the_silent_are_last() -> None:
    assert names(ranked([at(50, "far"), at(None, "dead"), at(10, "near"), at(30, "middle")])) == [
        "near",
        "middle",
        "far",
        "dead",
    ]
    assert names(ranked([at(None, "a"), at(None, "b")])) == ["a", "b"]


def test_of_those_as_near_the_one_listed_first_is_taken() -> None:
    assert names(ranked([at(21.5, "own"), at(20.0, "other"), at(20.2, "third")])) == ["own", "other", "third"]
    assert names(ranked([at(23.5, "own"), at(20.0, "other")])) == ["other", "own"]


def test_a_pair_of_roles() -> None:
    order = ranked([at(90, "sg", Role.INTERNATIONAL), at(9, "hn", Role.DOMESTIC), at(7, "own", Role.OWN)])
    assert names(nearest_of_each(order, [Role.DOMESTIC, Role.INTERNATIONAL])) == ["hn", "sg"]
    assert nearest_of_each(order[:1], [Role.INTERNATIONAL]) == []


def test_peers_are_measured_by_several_rounds_of_stamp() -> None:
    with peers(2) as (one, two):
        found = stand([Candidate(url=one.url), Candidate(url="http://127.0.0.1:9"), Candidate(url=two.url)])
        assert one.reflector.counts["reflected"] == nearest.ROUNDS * nearest.ECHOES
    assert [standing.method for standing in found] == [LatencyMethod.STAMP, None, LatencyMethod.STAMP]
    assert found[1].failure is Failure.CONNECTION_REFUSED
    assert all(s.rtt_ms < 20 and s.received_count == s.sent_count == 15 for s in (found[0], found[2]))


def test_a_peer_without_a_reflector_is_compared_by_tcp() -> None:
    with peers(1, stamp_port=-1) as (peer,):
        assert stand([Candidate(url=peer.url)])[0].method is LatencyMethod.TCP


def test_a_peer_whose_udp_is_blocked_is_compared_by_tcp() -> None:
    with peers(1) as (peer,):
        peer.reflector._stopping.set()
        peer.reflector._thread.join()
        found = stand([Candidate(url=peer.url)], timeout_s=0.3)[0]
    assert (found.method, found.failure) == (LatencyMethod.TCP, None)
    assert found.rtt_ms < 20


def test_a_peer_that_stalls_does_not_hold_up_the_choice() -> None:
    with peers(1) as (peer,), hostile(stall) as port:
        found = stand([Candidate(url=f"http://127.0.0.1:{port}"), Candidate(url=peer.url)], timeout_s=0.5)
    assert found[0].failure is Failure.GENERIC_TIMEOUT_ERROR
    assert found[1].rtt_ms is not None


LISTED = [Candidate(url="http://a.example"), Candidate(url="http://b.example:81", role=Role.OWN)]


def test_pin_and_exclude() -> None:
    assert allowed(LISTED, pin="b.example") == LISTED[1:]
    assert allowed(LISTED, exclude=["b.example:81"]) == LISTED[:1]
    assert allowed(LISTED, role=Role.OWN) == LISTED[1:]
    for wrong in ({"pin": "c.example"}, {"exclude": ["c.example"]}):
        with pytest.raises(ConfigError, match="c\\.example"):
            allowed(LISTED, **wrong)
    with pytest.raises(ConfigError, match="No peer is left"):
        allowed(LISTED, exclude=["a.example", "b.example"])


def test_a_list_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "peers.toml"
    path.write_text('[[server]]\nurl = "https://p.example"\nrole = "domestic"\nsite = "Hải Phòng"\ndistance_km = 4.5\n')
    assert load(path) == [Candidate(url="https://p.example", role=Role.DOMESTIC, site="Hải Phòng", distance_km=4.5)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "server"),
        ("[[server]]\n", "url"),
        ('[[server]]\nurl = "ftp://x"\n', "ftp://x"),
        ('[[server]]\nurl = "http://x"\nrole = "abroad"\n', "role"),
        ('[[server]]\nurl = "http://x"\ncolour = "red"\n', "colour"),
        ('[[server]]\nurl = "http://x"\n[[server]]\nurl = "http://x:80/"\n', "stands twice"),
        ("[[server]\n", "Invalid TOML"),
    ],
)
def test_a_bad_list_is_refused_with_its_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "peers.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load(path)


def test_a_missing_list_is_named() -> None:
    with pytest.raises(ConfigError, match="/nonexistent"):
        load("/nonexistent.toml")


def test_it_falls_over_and_says_so_and_the_record_tells() -> None:
    said: list[str] = []
    cycle = Cycle(probe_id="p", plan=Plan(duration_s=0.5, timeout_s=0.5), idle_s=0.1)

    def run(target: Target, attempt: int) -> object:
        return run_cycle(target, Cycle(**{**_fields(cycle), "attempt_count": attempt}))

    with peers(1) as (peer,):
        url = peer.url
        listed = [
            Candidate(url="http://127.0.0.1:9"),
            Candidate(url=url, role=Role.INTERNATIONAL, distance_km=1200),
        ]
        record = nearest.measure([Standing(candidate=c) for c in listed], run, said.append)
    assert said == [f"http://127.0.0.1:9 failed (connection_refused); falling over to {url}."]
    assert record.outcome.status is not Status.FAILED
    assert (record.attempt_count, record.server.host) == (2, "127.0.0.1")
    assert (record.server.is_domestic, record.server.distance_km) == (False, 1200)


def _fields(cycle: Cycle) -> dict[str, object]:
    return {name: getattr(cycle, name) for name in Cycle.__dataclass_fields__}


def test_where_all_fail_the_record_tells_how() -> None:
    cycle = Cycle(probe_id="p", plan=Plan(duration_s=0.5, timeout_s=0.3), idle_s=0.1)
    listed = [at(None, "127.0.0.1:9"), at(None, "127.0.0.1:19")]
    record = nearest.measure(listed, lambda target, attempt: run_cycle(target, cycle))
    assert record.outcome.status is Status.FAILED
    assert (record.outcome.failure, record.outcome.operation) == (Failure.CONNECTION_REFUSED, Operation.CONNECT)


def test_the_command_shows_the_choice() -> None:
    with peers(1) as (peer,):
        url = peer.url
        words = ["--peer", "http://127.0.0.1:9", "--peer", url, "--only", "downlink", "--seconds", "1", "--json"]
        done = subprocess.run([PROGRAM, "test", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "127.0.0.1" in line]
    assert lines[0].startswith(f"→ {url}: ")
    assert "connection_refused" in lines[1]
    record = decode(done.stdout)
    assert (record.attempt_count, record.server.host) == (1, "127.0.0.1")
    assert json.loads(done.stdout)["throughput"]["downlink"]["goodput_bps"] > 1e6


def test_an_authenticated_reflector_is_reached_with_its_key(tmp_path: Path) -> None:
    key = tmp_path / "stamp.key"
    key.write_text("a key of enough bytes\n")
    with peers(1, stamp_key=b"a key of enough bytes") as (peer,):
        words = ["--peer", peer.url, "--only", "downlink", "--seconds", "1", "--json", "--quiet"]
        told = [PROGRAM, "test", *words, "--stamp-key", str(key)]
        done = subprocess.run(told, capture_output=True, text=True, timeout=60, check=False)
        without = subprocess.run([PROGRAM, "test", *words], capture_output=True, text=True, timeout=60, check=False)
    assert decode(done.stdout).latency.idle.method is LatencyMethod.STAMP
    assert decode(done.stdout).latency.idle.loss_ratio == 0
    assert decode(without.stdout).latency.idle.method is LatencyMethod.TCP  # no loss is made up of what was refused


@pytest.mark.parametrize(("content", "says"), [(b"short\n", "Invalid key of 5 bytes"), (None, "Cannot read the key")])
def test_a_bad_key_file_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "stamp.key"
    if content is not None:
        path.write_bytes(content)
    told = [PROGRAM, "test", "--peer", "http://127.0.0.1:9", "--stamp-key", str(path)]
    done = subprocess.run(told, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{path}: {says}" in done.stderr
