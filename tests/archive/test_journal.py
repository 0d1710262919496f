import sqlite3
import threading
from datetime import datetime
from pathlib import Path

import pytest

from archive.gathering import pack
from archive.journal import Incoming, Journal, Part, Receipt
from archive.known import forget, in_segments, settle
from archive.sealing import clear, hot_rows, merge, seal, sweep
from archive.store import Archive
from measurement.errors import StorageError
from measurement.identity import unix_ms_of
from measurement.record import Record
from tests.archive.places import layer, square
from tests.archive.sample import records


def entries(found: list[Record], day: str = "2026-11-22") -> Incoming:
    ids = [bytes.fromhex(r.record_id.replace("-", "")) for r in found]
    return Incoming(ids, [Part(day, list(range(len(found))), pack(found, {}))])


class Waiter:
    """Collects the answers of a journal."""

    def __init__(self) -> None:
        self.answers: list[Receipt | StorageError] = []
        self._count = threading.Semaphore(0)

    def __call__(self, answer: Receipt | StorageError) -> None:
        self.answers.append(answer)
        self._count.release()

    def wait(self, count: int = 1) -> Receipt | StorageError:
        for _ in range(count):
            assert self._count.acquire(timeout=20)
        return self.answers[-1]


@pytest.fixture
def archive(tmp_path: Path):
    with Archive(tmp_path / "a", create=True) as opened:
        opened.set_layers([layer("squares", square("a", 106, 20))])
        yield opened


@pytest.fixture
def journal(archive: Archive):
    opened = Journal(Archive(archive.path))
    yield opened
    opened.close()


def stored(archive: Archive) -> list[str]:
    with archive.snapshot() as snapshot:
        return sorted(i for day in snapshot.days for i in snapshot.frame(day, ["record_id"])["record_id"])


def test_what_is_acknowledged_is_in_the_archive(archive: Archive, journal: Journal) -> None:
    found, waiter = records(50), Waiter()
    journal.append(entries(found), waiter)
    assert waiter.wait() == Receipt(frozenset(), 50)
    assert stored(archive) == sorted(r.record_id for r in found)


def test_twice_is_once_within_a_batch_and_across_batches(archive: Archive, journal: Journal) -> None:
    found, waiter = records(10), Waiter()
    journal.append(entries([*found, found[0]]), waiter)
    assert waiter.wait().duplicates == {10}
    journal.append(entries([found[3], *records(1, seed=9)]), waiter)
    assert waiter.wait().duplicates == {0}
    assert len(stored(archive)) == hot_rows(archive) == 11


def test_a_duplicate_of_a_sealed_record_is_known(archive: Archive, journal: Journal) -> None:
    found, waiter = records(10), Waiter()
    journal.append(entries(found), waiter)
    waiter.wait()
    assert seal(archive) == 10
    journal.append(entries(found), waiter)
    assert waiter.wait().duplicates == set(range(10))
    assert len(stored(archive)) == 10


def test_a_duplicate_older_than_the_horizon_is_found_in_the_segments(archive: Archive) -> None:
    found, waiter = records(10), Waiter()
    first = Journal(Archive(archive.path))
    first.append(entries(found), waiter)
    waiter.wait()
    first.close()
    seal(archive)
    horizon = max(unix_ms_of(r.record_id) for r in found) + 1
    assert settle(archive) == 10
    assert forget(archive, horizon) == 10
    assert archive.connection.execute("SELECT count(*) FROM ids").fetchone() == (0,)
    second = Journal(Archive(archive.path))
    second.append(entries([*found, *records(2, seed=5)]), waiter)
    assert set(range(10)) <= waiter.wait().duplicates
    second.close()
    assert len(stored(archive)) == 12
    assert in_segments(archive, archive.connection, [b"\0" * 16]) == set()


def test_ids_of_records_not_yet_sealed_are_never_forgotten(archive: Archive, journal: Journal) -> None:
    waiter = Waiter()
    journal.append(entries(records(5)), waiter)
    waiter.wait()
    assert forget(archive, 2**47) == 0


def test_many_waiting_batches_share_commits(journal: Journal, archive: Archive) -> None:
    waiter = Waiter()
    for seed in range(200):
        journal.append(entries(records(1, seed=seed)), waiter)
    waiter.wait(200)
    assert journal.commit_count < 200
    assert sum(1 for a in waiter.answers if isinstance(a, Receipt)) == 200
    assert len(stored(archive)) == 200


def test_a_journal_that_cannot_write_says_so(archive: Archive, journal: Journal) -> None:
    waiter = Waiter()
    archive.connection.execute("DROP TABLE hot")
    journal.append(entries(records(1)), waiter)
    assert isinstance(waiter.wait(), StorageError)
    assert archive.connection.execute("SELECT count(*) FROM ids").fetchone() == (0,)
    assert journal.waiting_bytes == 0


def test_a_snapshot_does_not_see_what_comes_after_it(archive: Archive, journal: Journal) -> None:
    found, waiter = records(20), Waiter()
    journal.append(entries(found[:5]), waiter)
    waiter.wait()
    snapshot = archive.snapshot()
    journal.append(entries(found[5:]), waiter)
    waiter.wait()
    seal(archive)
    while clear(archive):
        pass
    assert snapshot.frame("2026-11-22").height == 5
    snapshot.close()
    assert len(stored(archive)) == 20
    assert hot_rows(archive) == 0


def test_one_segment_a_day_and_the_days_apart(archive: Archive, journal: Journal) -> None:
    found, waiter = records(9), Waiter()
    ids = entries(found).ids
    parts = [Part("2026-11-21", [0, 2, 4], pack(found[0:6:2], {}))]
    parts.append(Part("2026-11-22", [1, 3, 5, 6, 7, 8], pack([*found[1:6:2], *found[6:]], {})))
    journal.append(Incoming(ids, parts), waiter)
    waiter.wait()
    seal(archive)
    with archive.snapshot() as snapshot:
        assert [(s.day, s.row_count) for s in snapshot.segments] == [("2026-11-21", 3), ("2026-11-22", 6)]
        assert {s.last_sequence for s in snapshot.segments} == {5, 9}


def test_a_crash_before_the_catalogue_knows_leaves_each_record_once(archive: Archive, journal: Journal) -> None:
    found, waiter = records(6), Waiter()
    journal.append(entries(found), waiter)
    waiter.wait()
    whole = archive.enter_segment

    def crash(*_: object) -> int:
        raise sqlite3.OperationalError("the power went")

    archive.enter_segment = crash  # type: ignore[method-assign]
    with pytest.raises(sqlite3.OperationalError):
        seal(archive)
    archive.enter_segment = whole  # type: ignore[method-assign]
    assert len(stored(archive)) == 6
    assert len(list(archive.path.glob("segments/*/*.parquet"))) == 1
    assert sweep(archive, datetime.fromisoformat("2100-01-01T00:00:00+00:00")) == 1
    assert seal(archive) == 6
    assert len(stored(archive)) == 6


def test_merging_keeps_every_record_and_files_for_their_readers(archive: Archive, journal: Journal) -> None:
    waiter = Waiter()
    for seed in range(6):
        journal.append(entries(records(5, seed=seed)), waiter)
        waiter.wait()
        seal(archive)
    before = stored(archive)
    snapshot = archive.snapshot()
    assert merge(archive, through=20, least=2) == 4  # the fifth and sixth have not been delivered yet
    assert merge(archive, through=2**62, least=2) == 3
    assert stored(archive) == before
    assert snapshot.frame("2026-11-22").height == 30
    snapshot.close()
    assert sweep(archive, datetime.fromisoformat("2100-01-01T00:00:00+00:00")) == 7
    assert len(list(archive.path.glob("segments/*/*.parquet"))) == 1
    assert stored(archive) == before


def test_two_sealers_at_once_seal_each_record_once(archive: Archive, journal: Journal) -> None:
    waiter = Waiter()
    journal.append(entries(records(8)), waiter)
    waiter.wait()
    rival = Archive(archive.path)
    write = archive.write_segment

    def slow(*arguments: object) -> object:
        written = write(*arguments)  # type: ignore[arg-type]
        seal(rival)
        return written

    archive.write_segment = slow  # type: ignore[assignment,method-assign]
    assert seal(archive) == 0
    assert len(stored(archive)) == 8
    assert len(list(archive.path.glob("segments/*/*.parquet"))) == 1
    rival.close()


def test_two_mergers_at_once_merge_each_segment_once(archive: Archive, journal: Journal) -> None:
    waiter = Waiter()
    for seed in range(4):
        journal.append(entries(records(5, seed=seed)), waiter)
        waiter.wait()
        seal(archive)
    rival = Archive(archive.path)
    write = archive.write_segment

    def slow(*arguments: object) -> object:
        written = write(*arguments)  # type: ignore[arg-type]
        merge(rival, through=2**62, least=2)
        return written

    archive.write_segment = slow  # type: ignore[assignment,method-assign]
    assert merge(archive, through=2**62, least=2) == 0
    assert len(stored(archive)) == 20
    rival.close()
