"""The doctor: a table of checks, each red or green for a reason, and a ceiling that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.commands.doctor import command
from probe.doctor import ROWS, Subject, ceiling, load, reach, senses, system
from probe.limits import ceiling as stored
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.settings import Position, Radio, Settings, Spool
from probe.target import parse
from tests.probe import hostile


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIDANG_STATE", str(tmp_path))


@pytest.fixture
def peer() -> Iterator[Peer]:
    one = Peer(PeerSettings(host="127.0.0.1", port=0))
    one.start()
    yield one
    one.stop(0.1)


def test_every_check_loads_and_has_both_languages() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert callable(load(row))
        assert all(row.title)


def test_disk(tmp_path: Path) -> None:
    good = system.disk(Subject(settings=Settings(spool=Spool(path=str(tmp_path / "spool.sqlite")))))
    assert good.is_good
    assert good.figures is not None
    assert good.figures["free_bytes"] > 0
    assert system.disk(Subject(settings=Settings(spool=Spool(path="/proc/spool.sqlite")))).is_good is False


def test_timer_is_measured() -> None:
    found = system.timer(Subject(settings=Settings()))
    assert found.figures is not None
    assert 0 < found.figures["late_p95_ms"] < 1000


def test_ceiling_is_measured_and_kept() -> None:
    found = ceiling.http(Subject(settings=Settings(), seconds=0.5))
    kept = stored.read()
    assert kept is not None
    assert found.figures is not None
    assert kept.downlink_bps["http"] == found.figures["downlink_bps"] > 100e6
    assert kept.uplink_bps["http"] > 100e6


def test_peer_is_reached_or_not(peer: Peer) -> None:
    settings = Settings()
    assert reach.peer(Subject(settings=settings)).is_good is None
    found = reach.peer(Subject(settings=settings, peer=parse(peer.url)))
    assert found.is_good
    assert found.figures is not None
    assert reach.peer(Subject(settings=settings, peer=parse("http://127.0.0.1:1"))).cure
    with hostile.hostile(hostile.says("200 OK", b'{"stamp_port": 9}')) as port:
        silent = reach.peer(Subject(settings=settings, peer=parse(f"http://127.0.0.1:{port}")))
    assert silent.is_good is False
    assert "UDP 9" in (silent.cure or ("", ""))[1]


def test_collector_is_reached_or_not() -> None:
    with hostile.hostile(hostile.says("200 OK", b"ok")) as port:
        assert reach.collector(Subject(settings=Settings(collector=f"http://127.0.0.1:{port}"))).is_good
    with hostile.hostile(hostile.says("500 Internal Server Error")) as port:
        assert reach.collector(Subject(settings=Settings(collector=f"http://127.0.0.1:{port}"))).is_good is False
    assert reach.collector(Subject(settings=Settings(collector="http://127.0.0.1:1"))).is_good is False


def test_senses() -> None:
    assert senses.modem(Subject(settings=Settings())).is_good is None
    fixed = Position(source="fixed", longitude_deg=106.68, latitude_deg=20.86)
    assert senses.position(Subject(settings=Settings(position=fixed))).is_good
    absent = Settings(radio=Radio(source="at", device="/dev/no-such-port"))
    found = senses.modem(Subject(settings=absent))
    assert found.is_good is False
    assert found.cure


def test_command(peer: Peer) -> None:
    skip = [word for row in ROWS if row.name not in ("timer", "disk", "peer") for word in ("--skip", row.name)]
    done = CliRunner().invoke(command, [*skip, "--peer", peer.url, "--json"])
    found = json.loads(done.stdout)
    assert set(found) == {"timer", "disk", "peer"}
    assert found["peer"]["is_good"] is True
    done = CliRunner().invoke(command, [*skip, "--peer", "http://127.0.0.1:1", "--language", "vi"])
    assert done.exit_code == 1
    assert "✘ Máy chủ đo" in done.output
    assert "→ kiểm tra địa chỉ" in done.output
