"""What the keeper does when; time is an argument."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive.journal import Journal
from archive.sealing import hot_rows
from archive.store import Archive
from collector import sink, tables
from collector.keeper import Keeper
from tests.archive.sample import records
from tests.archive.test_journal import Waiter, entries, stored

NOW = datetime.now(UTC)


@pytest.fixture
def archive(tmp_path: Path):
    with Archive(tmp_path / "a", create=True) as opened:
        tables.prepare(opened)
        yield opened


def put(archive: Archive, seed: int) -> list[str]:
    journal, waiter, found = Journal(Archive(archive.path)), Waiter(), records(5, seed=seed)
    journal.append(entries(found), waiter)
    waiter.wait()
    journal.close()
    return [r.record_id for r in found]


def test_a_quiet_journal_is_sealed_when_its_time_has_come(archive: Archive) -> None:
    keeper = Keeper(archive, seal_every_s=60, retention_days=400)
    put(archive, 1)
    assert keeper.step(100.0, NOW) is True
    assert hot_rows(archive) == 0
    put(archive, 2)
    assert keeper.step(130.0, NOW) is False
    assert hot_rows(archive) == 5
    assert keeper.step(160.0, NOW) is True
    assert hot_rows(archive) == 0


def test_a_long_journal_is_sealed_at_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.keeper.SEAL_ROWS", 5)
    keeper = Keeper(archive, seal_every_s=1e9, retention_days=400)
    put(archive, 1)
    assert keeper.step(1.0, NOW) is True
    assert hot_rows(archive) == 0


def test_small_segments_are_merged_once_every_sink_has_them(archive: Archive) -> None:
    keeper = Keeper(archive, seal_every_s=0, retention_days=400)
    sink.register(archive, "slow")
    sent = []
    for seed in range(5):
        sent += put(archive, seed)
        while keeper.step(float(seed + 1), NOW):
            pass

    def live() -> int:
        return int(archive.connection.execute("SELECT count(*) FROM segments WHERE replaced_at IS NULL").fetchone()[0])

    assert live() == 5
    assert sink.advance(archive, "slow", 0, 25, 25)
    while keeper.step(10.0, NOW):
        pass
    assert live() == 1
    assert stored(archive) == sorted(sent)
    files = archive.path.glob("segments/*/*.parquet")
    assert len(list(files)) == 6
    keeper.step(100.0, NOW + timedelta(hours=1))
    assert len(list(archive.path.glob("segments/*/*.parquet"))) == 1


def test_old_ids_are_forgotten_and_their_records_stay_known(archive: Archive) -> None:
    keeper, waiter, found = Keeper(archive, seal_every_s=0, retention_days=1), Waiter(), records(5, seed=1)
    journal = Journal(Archive(archive.path))  # it runs on while the horizon moves
    journal.append(entries(found), waiter)
    waiter.wait()
    keeper.step(1.0, NOW)
    keeper.step(100.0, NOW + timedelta(days=3))
    assert archive.connection.execute("SELECT count(*) FROM ids").fetchone() == (0,)
    journal.append(entries(found), waiter)
    assert waiter.wait().duplicates == set(range(5))  # type: ignore[union-attr]
    journal.close()
    assert stored(archive) == sorted(r.record_id for r in found)
