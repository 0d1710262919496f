"""Keep records until the collector acknowledges them.

A record is durable when `keep` returns. What is sent is deleted only by `acknowledge`, so a power cut costs at most a
second sending, and the collector counts a record id once. The spool is bounded by `max_bytes` of bodies. Where it is
full it drops, in this order: records the collector has refused, oldest first; failed, then partial ones, oldest first;
complete ones, newest first, so that the oldest complete records go last. Each drop is counted by what it was, and the
gap in the records' `sequence` shows it at the collector.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import NamedTuple

from measurement.errors import InstrumentError
from probe.boot import boot_clock_ms, boot_id
from probe.spool.layout import Ballast, open_or_set_aside
from probe.spool.room import DROP_POLICY, count, make_room
from probe.spool.transaction import transaction

MEMORY_RECORDS = 64  # held while the disk takes nothing

COUNTERS = ("kept", "acknowledged", "refused", *(row[2] for row in DROP_POLICY), "dropped_memory")

_log = logging.getLogger("haidang.spool")


class Waiting(NamedTuple):
    """One record to deliver."""

    record_id: str
    body: bytes
    boot_id: str
    boot_ms: float
    attempt_count: int


class Refused(NamedTuple):
    """One record the collector has refused, with its word."""

    record_id: str
    path: str
    reason: str


class Depth(NamedTuple):
    """What the spool holds."""

    waiting_count: int
    refused_count: int
    byte_count: int


class Spool:
    """One spool file. Threads may share it."""

    def __init__(
        self, path: Path | str, *, max_bytes: int = 64 * 2**20, boot_ms: Callable[[], float] = boot_clock_ms
    ) -> None:
        """Open or make the spool at `path`; a broken file is set aside and named in `set_aside`."""
        self.path, self.max_bytes, self._boot_ms = Path(path), max_bytes, boot_ms
        self._lock = RLock()
        self._boot_id = boot_id()
        self._memory: dict[str, tuple[str, bytes, float]] = {}  # record_id -> status, body, boot_ms
        self._lost_in_memory = self._sequence = 0
        self._connection, self.set_aside = open_or_set_aside(self.path, max_bytes)
        self._ballast = Ballast(self.path)

    def close(self) -> None:
        """Close the file; records held in memory get a last chance."""
        with self._lock:
            self._flush_memory()
            self._connection.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def keep(self, record_id: str, status: str, body: bytes, started_boot_ms: float | None = None) -> bool:
        """Keep a record; True where it is durable, False where a full disk leaves it in memory only."""
        began = self._boot_ms() if started_boot_ms is None else started_boot_ms
        with self._lock:
            self._flush_memory()
            try:
                self._insert(record_id, status, body, began)
            except sqlite3.OperationalError as error:
                return self._keep_in_memory(record_id, status, body, began, error)
            return True

    def _insert(self, record_id: str, status: str, body: bytes, began: float) -> None:
        row = (record_id, status, body, len(body), self._boot_id, began)
        with transaction(self._connection) as connection:
            columns = "record_id, status, body, byte_count, boot_id, boot_ms"
            added = connection.execute(f"INSERT OR IGNORE INTO records ({columns}) VALUES (?,?,?,?,?,?)", row).rowcount
            count(connection, "kept", added)
            make_room(connection, self.max_bytes)

    def _keep_in_memory(
        self, record_id: str, status: str, body: bytes, began: float, error: sqlite3.OperationalError
    ) -> bool:
        # The reserve is not for this: it is what lets acknowledged records be deleted.
        if len(self._memory) >= MEMORY_RECORDS:
            self._memory.pop(next(iter(self._memory)))
            self._lost_in_memory += 1
        self._memory[record_id] = (status, body, began)
        _log.error("disk full (%s): %d records held in memory", error, len(self._memory))
        return False

    def _flush_memory(self) -> None:
        for record_id, (status, body, began) in list(self._memory.items()):
            try:
                self._insert(record_id, status, body, began)
            except sqlite3.OperationalError:
                return
            del self._memory[record_id]
        if self._lost_in_memory:
            with transaction(self._connection) as connection:
                count(connection, "dropped_memory", self._lost_in_memory)
            self._lost_in_memory = 0
        self._ballast.restore()

    def batch(self, max_count: int, max_bytes: int) -> list[Waiting]:
        """Return the oldest waiting records, at most that many and (but for the first) at most that many bytes."""
        with self._lock:
            picked = [
                Waiting(record_id, body, self._boot_id, began, 0)
                for record_id, (_, body, began) in list(self._memory.items())[:max_count]
            ]
            size = sum(len(waiting.body) for waiting in picked)
            rows = self._connection.execute(
                "SELECT record_id, body, boot_id, boot_ms, attempt_count FROM records"
                " WHERE refused_reason IS NULL ORDER BY position LIMIT ?",
                (max_count - len(picked),),
            )
            for row in rows:
                size += len(row[1])
                if picked and size > max_bytes:
                    break
                picked.append(Waiting(*row))
            return picked

    def attempted(self, record_ids: Sequence[str]) -> None:
        """Count one more attempt for each record, before it is sent; a full disk leaves the count as it is."""
        with self._lock, transaction(self._connection, or_skip=True) as connection:
            connection.executemany(
                "UPDATE records SET attempt_count = attempt_count + 1 WHERE record_id = ?", ((i,) for i in record_ids)
            )

    def acknowledge(self, record_ids: Iterable[str]) -> int:
        """Delete what the collector holds; return how many there were."""
        with self._lock:
            ids = list(record_ids)
            from_memory = sum(self._memory.pop(record_id, None) is not None for record_id in ids)
            deleted = self._retry_with_room(lambda: self._delete(ids)) + from_memory
            self._ballast.restore()
            return deleted

    def _delete(self, ids: list[str]) -> int:
        with transaction(self._connection) as connection:
            deleted = sum(connection.execute("DELETE FROM records WHERE record_id = ?", (i,)).rowcount for i in ids)
            count(connection, "acknowledged", deleted)
        with suppress(sqlite3.OperationalError):  # shrinking needs room of its own on a full disk
            self._connection.execute("PRAGMA incremental_vacuum(256)").fetchall()
        return deleted

    def _retry_with_room(self, write: Callable[[], int]) -> int:
        try:
            return write()
        except sqlite3.OperationalError as error:
            self._ballast.release()
            try:
                return write()
            except sqlite3.OperationalError:
                # They are sent again later, and the collector counts them once.
                raise InstrumentError(f"Spool {str(self.path)!r} takes no writes. {error}.") from None

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Set records aside that the collector has refused: kept with its word, never sent again."""
        with self._lock, transaction(self._connection) as connection:
            for record_id, path, reason in refused:
                self._memory.pop(record_id, None)
                changed = connection.execute(
                    "UPDATE records SET refused_path = ?, refused_reason = ?"
                    " WHERE record_id = ? AND refused_reason IS NULL",
                    (path[:200], reason[:1000], record_id),
                ).rowcount
                count(connection, "refused", changed)

    def release(self) -> int:
        """Put every refused record back in the queue; return how many."""
        sql = "UPDATE records SET refused_path = NULL, refused_reason = NULL WHERE refused_reason IS NOT NULL"
        with self._lock:
            return self._connection.execute(sql).rowcount

    def refused(self, limit: int = 1000) -> list[Refused]:
        """Return the records set aside, oldest first."""
        sql = (
            "SELECT record_id, refused_path, refused_reason FROM records"
            " WHERE refused_reason IS NOT NULL ORDER BY position LIMIT ?"
        )
        with self._lock:
            return [Refused(*row) for row in self._connection.execute(sql, (limit,))]

    def depth(self) -> Depth:
        """Return how much is held."""
        with self._lock:
            row = self._connection.execute(
                "SELECT COUNT(*) FILTER (WHERE refused_reason IS NULL),"
                " COUNT(*) FILTER (WHERE refused_reason IS NOT NULL), COALESCE(SUM(byte_count), 0) FROM records"
            ).fetchone()
            held = sum(len(body) for _, body, _ in self._memory.values())
            return Depth(row[0] + len(self._memory), row[1], row[2] + held)

    def counters(self) -> dict[str, int]:
        """Return every counter since the spool was made."""
        with self._lock:
            known = dict(self._connection.execute("SELECT name, value FROM counters").fetchall())
            counted = {name: int(known.get(name, 0)) for name in COUNTERS}
            counted["dropped_memory"] += self._lost_in_memory
            return counted

    def state(self, name: str) -> str | None:
        """Return a value that outlives the process, None where it was never set."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
            return None if row is None else str(row[0])

    def set_state(self, **values: str) -> bool:
        """Set values that outlive the process; False where a full disk keeps the old ones."""
        with self._lock:
            try:
                with transaction(self._connection) as connection:
                    connection.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", values.items())
            except sqlite3.OperationalError:
                return False
            return True

    def next_sequence(self) -> int:
        """Return the next number of a record; numbers are never given twice, and gaps tell of drops."""
        with self._lock:
            self._sequence = max(self._sequence, int(self.state("sequence") or 0)) + 1
            self.set_state(sequence=str(self._sequence))
            return self._sequence
