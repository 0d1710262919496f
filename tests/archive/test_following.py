from pathlib import Path

import pytest

from archive.following import after
from archive.frames import frame_from_bodies
from archive.journal import Journal
from archive.sealing import seal
from archive.store import Archive
from measurement.codec import encode
from tests.archive.sample import records
from tests.archive.test_journal import Waiter, entries


@pytest.fixture
def archive(tmp_path: Path):
    with Archive(tmp_path / "a", create=True) as opened:
        yield opened


def follow(archive: Archive, *, is_sealed_only: bool = False) -> list[str]:
    cursor, found = 0, []
    while True:
        chunks = list(after(archive, cursor, is_sealed_only=is_sealed_only))
        if not chunks:
            return found
        for chunk in chunks:
            found.extend(chunk.frame["record_id"])
        assert chunks[-1].cursor is not None
        assert chunks[-1].cursor > cursor
        cursor = chunks[-1].cursor


def test_hot_and_sealed_and_bulk_each_once_in_any_mixture(archive: Archive) -> None:
    journal, waiter, sent = Journal(Archive(archive.path)), Waiter(), []
    for seed in range(8):
        batch = records(4, seed=seed)
        sent += [r.record_id for r in batch]
        journal.append(entries(batch, f"2026-11-2{seed % 3}"), waiter)
        waiter.wait()
        if seed == 3:
            seal(archive)
        if seed == 5:
            bulk = records(7, seed=99)
            archive.append_frame(frame_from_bodies([encode(r) for r in bulk], []))
            sent += [r.record_id for r in bulk]
    journal.close()
    assert sorted(follow(archive)) == sorted(sent)
    assert archive.count_after(0) == len(sent)


def test_a_sealed_only_reader_waits_and_then_misses_nothing(archive: Archive) -> None:
    journal, waiter = Journal(Archive(archive.path)), Waiter()
    first, bulk = records(4, seed=1), records(5, seed=2)
    journal.append(entries(first), waiter)
    waiter.wait()
    archive.append_frame(frame_from_bodies([encode(r) for r in bulk], []))
    assert follow(archive, is_sealed_only=True) == []
    seal(archive)
    assert sorted(follow(archive, is_sealed_only=True)) == sorted(r.record_id for r in [*first, *bulk])
    journal.close()
