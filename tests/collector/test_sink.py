"""Feeding a sink: everything once, in order, at its own pace; a sink that fails holds back only itself."""

import random
import threading
from pathlib import Path

import pytest

from archive.store import Archive
from collector import sink, tables
from collector.keeper import Keeper
from measurement.errors import ConfigError, DeliveryError
from tests.collector.test_keeper import NOW, put


class Shelf:
    """A real sink in memory, that can be closed for a while."""

    def __init__(self, *, is_sealed_only: bool = False) -> None:
        self.is_sealed_only = is_sealed_only
        self.kept: list[str] = []
        self.trouble: DeliveryError | None = None

    def prepare(self) -> None:
        if self.trouble:
            raise self.trouble

    def write(self, chunk: sink.Chunk) -> None:
        if self.trouble:
            raise self.trouble
        self.kept += chunk.frame["record_id"].to_list()

    def close(self) -> None: ...


@pytest.fixture
def archive(tmp_path: Path):
    with Archive(tmp_path / "a", create=True) as opened:
        tables.prepare(opened)
        sink.register(opened, "shelf")
        yield opened


def feeder(archive: Archive, shelf: Shelf) -> sink.Feeder:
    return sink.Feeder(archive, "shelf", shelf, threading.Event(), random.Random(1))


def drain(feeding: sink.Feeder) -> None:
    while feeding.step() == 0:
        pass


def test_everything_reaches_the_sink_once_hot_or_sealed(archive: Archive) -> None:
    shelf, keeper = Shelf(), Keeper(archive, seal_every_s=0, retention_days=400)
    feeding, sent = feeder(archive, shelf), []
    for seed in range(9):
        sent += put(archive, seed)
        if seed % 3:
            drain(feeding)
        if seed % 2:
            keeper.step(float(seed + 1), NOW)
    drain(feeding)
    assert sorted(shelf.kept) == sorted(sent)
    assert len(archive.snapshot().segments) > 1
    assert archive.count_after(sink.cursor_of(archive, "shelf")) == 0


def test_a_sink_that_is_down_catches_up_and_says_why_it_was_behind(archive: Archive) -> None:
    shelf = Shelf()
    feeding = feeder(archive, shelf)
    shelf.trouble = DeliveryError("the shelf is away")
    sent = put(archive, 1)
    pauses = [feeding.step() for _ in range(8)]
    assert all(0.5 <= pause <= 60 for pause in pauses)
    assert pauses[-1] > 4 * pauses[0]
    row = archive.connection.execute("SELECT failed_count, last_error, sequence FROM sink_cursors").fetchone()
    assert row == (8, "the shelf is away", 0)
    shelf.trouble = DeliveryError("busy", retry_after_s=7.0)
    assert feeding.step() == 7.0
    shelf.trouble = None
    drain(feeding)
    assert shelf.kept == sent
    assert archive.connection.execute("SELECT last_error FROM sink_cursors").fetchone() == (None,)


def test_a_replay_that_comes_while_writing_stands(archive: Archive) -> None:
    put(archive, 1)
    assert sink.advance(archive, "shelf", 0, 5, 5)
    assert not sink.advance(archive, "shelf", 0, 9, 4)
    assert sink.cursor_of(archive, "shelf") == 5


def test_a_sink_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\$\.sinks\.tape\.kind: Invalid kind 'tape'"):
        sink.make("tape", {}, Path())
