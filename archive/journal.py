"""The journal: records become durable in the catalogue, many waiting writers to one commit.

Invariants: a record is answered for only after the commit that holds it, with `synchronous=FULL`; of two records with
one id the first is kept and the second is a duplicate, also after the first has left the hot rows for a segment.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from archive.known import in_segments
from archive.store import Archive
from measurement.errors import StorageError

GROUP_BYTES = 8 << 20
"""A commit takes no more than this, so that the first of the waiting is not kept for the last."""


class Entry(NamedTuple):
    """One placed record: 16 bytes of its id, its civil day, its JSON."""

    record_id: bytes
    day: str
    body: bytes


class Receipt(NamedTuple):
    """What became of a batch: positions of those already known, and the sequence of the last that is new."""

    duplicates: frozenset[int]
    last_sequence: int


Done = Callable[[Receipt | StorageError], None]


class _Waiting(NamedTuple):
    entries: list[Entry]
    done: Done
    byte_count: int


class Journal:
    """One writer thread with its own connection. `append` never blocks; `done` is called on the writer's thread."""

    def __init__(self, archive: Archive, known_since_ms: int = 0) -> None:
        """Start the writer; ids older than `known_since_ms` are looked up in the segments."""
        self._archive = archive
        self._known_since_ms = known_since_ms
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self.waiting_bytes = 0
        self.commit_count = 0
        self.commit_seconds = 0.0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, entries: list[Entry], done: Done) -> None:
        """Hand over a batch; `done` gets its receipt after the commit, or why it is not kept."""
        size = sum(len(entry.body) for entry in entries) + 64 * len(entries)
        with self._lock:
            self.waiting_bytes += size
        self._queue.put(_Waiting(entries, done, size))

    def close(self) -> None:
        """Commit what waits and end the writer."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            group: list[_Waiting] = []
            size = 0
            item = self._queue.get()
            while True:
                if item is None:
                    is_open = False
                    break
                group.append(item)
                size += item.byte_count
                if size >= GROUP_BYTES:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._commit(group, size)

    def _commit(self, group: list[_Waiting], size: int) -> None:
        start = time.perf_counter()
        answers: list[Receipt] | StorageError
        try:
            with self._archive.transaction() as connection:
                answers = self._write(connection, [waiting.entries for waiting in group])
        except (sqlite3.Error, OSError) as error:
            answers = StorageError(f"The journal cannot take records: {error}")
        self.commit_count += 1
        self.commit_seconds += time.perf_counter() - start
        with self._lock:
            self.waiting_bytes -= size
        for index, waiting in enumerate(group):
            waiting.done(answers if isinstance(answers, StorageError) else answers[index])

    def _write(self, connection: sqlite3.Connection, batches: list[list[Entry]]) -> list[Receipt]:
        total = sum(map(len, batches))
        first = self._archive.take_sequences(connection, total)
        receipts: list[Receipt] = []
        kept: dict[str, list[tuple[int, bytes]]] = {}
        for entries in batches:
            duplicates = self._enter_ids(connection, entries, first)
            for offset, entry in enumerate(entries):
                if offset not in duplicates:
                    kept.setdefault(entry.day, []).append((first + offset, entry.body))
            first += len(entries)
            receipts.append(Receipt(duplicates, first - 1))
        connection.executemany(
            "INSERT INTO hot (sequence, first_sequence, day, row_count, body) VALUES (?, ?, ?, ?, ?)",
            [
                (rows[-1][0], rows[0][0], day, len(rows), b"\n".join([body for _, body in rows]))
                for day, rows in kept.items()
            ],
        )
        return receipts

    def _enter_ids(self, connection: sqlite3.Connection, entries: list[Entry], first: int) -> frozenset[int]:
        """Enter the ids of a batch; return the positions of those that were known."""
        rows = [(entry.record_id, first + offset) for offset, entry in enumerate(entries)]
        cursor = connection.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?)", rows)
        duplicates: set[int] = set()
        if cursor.rowcount < len(rows):
            duplicates = {offset for offset, row in enumerate(rows) if not _holds(connection, row)}
        old = [o for o, (key, _) in enumerate(rows) if int.from_bytes(key[:6]) < self._known_since_ms]
        if old:
            found = in_segments(self._archive, connection, [rows[offset][0] for offset in old])
            duplicates.update(offset for offset in old if rows[offset][0] in found)
        return frozenset(duplicates)


def _holds(connection: sqlite3.Connection, row: tuple[bytes, int]) -> bool:
    (sequence,) = connection.execute("SELECT sequence FROM ids WHERE record_id = ?", row[:1]).fetchone()
    return bool(sequence == row[1])


def entries_of(rows: Iterable[tuple[str, str, bytes]]) -> list[Entry]:
    """Return entries of (record_id as text, day, body)."""
    return [Entry(bytes.fromhex(record_id.replace("-", "")), day, body) for record_id, day, body in rows]
