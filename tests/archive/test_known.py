"""Ids: fresh in memory, settled in the tree, found again whoever wrote them and whatever ended in the midst."""

from pathlib import Path

import pytest

from archive import known
from archive.journal import Journal
from archive.known import Fresh, settle
from archive.store import Archive
from tests.archive.sample import records
from tests.archive.test_journal import Waiter, entries, stored


@pytest.fixture
def archive(tmp_path: Path):
    with Archive(tmp_path / "a", create=True) as opened:
        yield opened


def kept(archive: Archive, seed: int, count: int = 20) -> list:
    journal, waiter, found = Journal(Archive(archive.path)), Waiter(), records(count, seed=seed)
    journal.append(entries(found), waiter)
    waiter.wait()
    journal.close()
    return found


def rows(archive: Archive) -> tuple[int, int]:
    (fresh,) = archive.connection.execute("SELECT coalesce(sum(length(ids)), 0) / 16 FROM fresh_ids").fetchone()
    (settled,) = archive.connection.execute("SELECT count(*) FROM ids").fetchone()
    return fresh, settled


def test_a_journal_that_starts_again_knows_fresh_and_settled_ids(archive: Archive) -> None:
    first = kept(archive, 1)
    assert rows(archive) == (20, 0)
    assert settle(archive) == 20
    second = kept(archive, 2)
    assert rows(archive) == (20, 20)
    journal, waiter = Journal(Archive(archive.path)), Waiter()
    journal.append(entries([*first, *second, *records(1, seed=3)]), waiter)
    assert waiter.wait().duplicates == set(range(40))  # type: ignore[union-attr]
    journal.close()
    assert len(stored(archive)) == 41


def test_a_running_journal_lets_go_of_what_was_settled_and_still_knows_it(archive: Archive) -> None:
    journal, waiter, found = Journal(Archive(archive.path)), Waiter(), records(30)
    journal.append(entries(found), waiter)
    waiter.wait()
    assert len(journal._fresh._held) == 30
    assert settle(archive) == 30
    journal.append(entries([*found, *records(1, seed=9)]), waiter)
    assert waiter.wait().duplicates == set(range(30))  # type: ignore[union-attr]
    assert len(journal._fresh._held) == 1
    journal.close()


def test_what_another_journal_wrote_meanwhile_is_known(archive: Archive) -> None:
    journal, waiter = Journal(Archive(archive.path)), Waiter()
    journal.append(entries(records(5, seed=1)), waiter)
    waiter.wait()
    other = kept(archive, 2)
    journal.append(entries(other), waiter)
    assert waiter.wait().duplicates == set(range(20))  # type: ignore[union-attr]
    journal.close()
    assert len(stored(archive)) == 25


def test_ids_of_a_commit_that_failed_are_not_known(archive: Archive) -> None:
    journal, waiter, found = Journal(Archive(archive.path)), Waiter(), records(5)
    archive.connection.execute("ALTER TABLE hot RENAME TO away")
    journal.append(entries(found), waiter)
    waiter.wait()
    archive.connection.execute("ALTER TABLE away RENAME TO hot")
    journal.append(entries(found), waiter)
    assert waiter.wait().duplicates == frozenset()  # type: ignore[union-attr]
    journal.close()
    assert len(stored(archive)) == 5


def test_settling_that_was_cut_short_is_done_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    found = kept(archive, 1)
    monkeypatch.setattr(known, "SETTLE_AT_ONCE", 7)
    entered = archive.transaction
    calls = iter(range(2))

    def fails():  # type: ignore[no-untyped-def]
        next(calls)
        return entered()

    monkeypatch.setattr(archive, "transaction", fails)
    with pytest.raises(StopIteration):
        settle(archive)
    assert rows(archive) == (20, 14)
    monkeypatch.undo()
    assert settle(archive) == 20
    assert rows(archive) == (0, 20)
    assert Fresh().known(archive.connection, entries(found).ids) == set(entries(found).ids)


def test_more_ids_than_one_question_may_hold(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    found = kept(archive, 1)
    settle(archive)
    monkeypatch.setattr(known, "MOST_ASKED", 3)
    ids = entries([*found, *records(4, seed=2)]).ids
    assert Fresh().known(archive.connection, ids) == set(ids[:20])
