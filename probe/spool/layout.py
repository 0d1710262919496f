"""The spool's tables and opening its file: a broken one is set aside and named, and what can be read is saved."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from measurement.errors import InstrumentError

PAGE_BYTES = 4096
BALLAST_BYTES = 256 * 1024  # given back when the disk is full, so that acknowledged records can still be deleted

TABLES = """
CREATE TABLE IF NOT EXISTS records (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,                    -- the outcome's, so that the drop policy needs no decoding
    body BLOB NOT NULL,
    byte_count INTEGER NOT NULL,
    boot_id TEXT NOT NULL,                   -- boot and clock since boot at the start of the test: with the
    boot_ms REAL NOT NULL,                   -- collector's time they date a record made with a wrong clock
    attempt_count INTEGER NOT NULL DEFAULT 0,
    refused_path TEXT,                       -- set where the collector refused the record: kept, never sent again
    refused_reason TEXT
);
CREATE INDEX IF NOT EXISTS waiting ON records (position) WHERE refused_reason IS NULL;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_COLUMNS = "record_id, status, body, byte_count, boot_id, boot_ms, attempt_count, refused_path, refused_reason"

_log = logging.getLogger("haidang.spool")


def connect(path: Path, max_bytes: int) -> sqlite3.Connection:
    """Open the spool file, its own size bounded; raises sqlite3.DatabaseError where it is broken."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # a record said to be kept survives a power cut
        connection.execute("PRAGMA journal_size_limit=1048576")
        connection.execute("PRAGMA wal_autocheckpoint=64")
        connection.execute(f"PRAGMA max_page_count={max(64, 2 * max_bytes // PAGE_BYTES)}")
        connection.executescript(TABLES)
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    except BaseException:
        connection.close()
        raise
    return connection


def open_or_set_aside(path: Path, max_bytes: int) -> tuple[sqlite3.Connection, Path | None]:
    """Open the spool; a broken file is renamed, its readable records are copied into a fresh one.

    Raises
    ------
    InstrumentError
        Where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return connect(path, max_bytes), None
    except sqlite3.OperationalError as error:
        # Locked, read-only, full, unreachable: the file is not broken, moving it would lose records.
        raise InstrumentError(f"Invalid spool {str(path)!r}. {error}.") from None
    except OSError as error:
        raise InstrumentError(f"Invalid spool {str(path)!r}. {error.strerror}.") from None
    except sqlite3.DatabaseError as error:
        aside = _set_aside(path)
        _log.error("spool %s is broken (%s); set aside as %s", path, error, aside)
        connection = connect(path, max_bytes)
        saved = _salvage(aside, connection)
        _log.error("%d records saved out of %s", saved, aside)
        return connection, aside


def _set_aside(path: Path) -> Path:
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    aside = path.with_name(f"{path.name}.broken-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _salvage(aside: Path, fresh: sqlite3.Connection) -> int:
    saved = 0
    for row in _readable(aside):
        marks = ",".join("?" * len(row))
        saved += fresh.execute(f"INSERT OR IGNORE INTO records ({_COLUMNS}) VALUES ({marks})", row).rowcount
    return saved


def _readable(aside: Path) -> Iterator[tuple[object, ...]]:
    """Yield the rows that can still be read, from both ends, so that one bad page in the middle costs itself only."""
    for order in ("ASC", "DESC"):
        broken = sqlite3.connect(aside)
        try:
            yield from broken.execute(f"SELECT {_COLUMNS} FROM records ORDER BY position {order}")
            return
        except sqlite3.DatabaseError:
            continue
        finally:
            broken.close()


class Ballast:
    """A small file that is given back when the disk is full."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".ballast")
        self.restore()

    def release(self) -> bool:
        """Give the room back; False where it was given back already."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def restore(self) -> bool:
        """Take the room again; False where the disk is too full for it."""
        if self._path.exists():
            return True
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, BALLAST_BYTES)
            finally:
                os.close(handle)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True
