from pathlib import Path

import pytest

from archive.backup import backup, verify
from archive.journal import Journal
from archive.sealing import merge, seal
from archive.store import Archive
from measurement.errors import ConfigError, StorageError
from tests.archive.sample import records
from tests.archive.test_journal import Waiter, entries, stored


@pytest.fixture
def archive(tmp_path: Path):
    with Archive(tmp_path / "a", create=True) as opened:
        journal, waiter = Journal(Archive(opened.path)), Waiter()
        for seed in range(4):
            journal.append(entries(records(5, seed=seed)), waiter)
            waiter.wait()
            if seed < 3:
                seal(opened)
        journal.close()
        yield opened


def test_a_backup_holds_every_record_sealed_or_not(archive: Archive, tmp_path: Path) -> None:
    assert backup(archive, tmp_path / "b")[:2] == (3, 3)
    with Archive(tmp_path / "b") as copy:
        assert stored(copy) == stored(archive)
        assert list(verify(copy)) == []
        assert seal(copy) == 5  # it is an archive like any other


def test_a_second_backup_copies_only_what_is_new(archive: Archive, tmp_path: Path) -> None:
    backup(archive, tmp_path / "b")
    seal(archive)
    assert backup(archive, tmp_path / "b")[:2] == (4, 1)
    merge(archive, 2**62, least=2)
    assert backup(archive, tmp_path / "b")[:2] == (1, 1)
    with Archive(tmp_path / "b") as copy:
        assert stored(copy) == stored(archive)


def test_a_changed_segment_is_told(archive: Archive, tmp_path: Path) -> None:
    first, second, _ = sorted(archive.path.glob("segments/*/*.parquet"))
    first.write_bytes(first.read_bytes()[:-1] + b"x")
    second.unlink()
    assert [fault.split(": ")[1] for fault in sorted(verify(archive))] == ["SHA-256 is not the catalogue's", "missing"]
    with pytest.raises(StorageError, match="not the catalogue's"):
        backup(archive, tmp_path / "b")
    assert not (tmp_path / "b" / "catalogue.sqlite").exists()


def test_a_target_that_is_something_else_is_left_alone(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    for target in (archive.path, tmp_path / "home"):
        with pytest.raises(ConfigError, match="Invalid target"):
            backup(archive, target)
