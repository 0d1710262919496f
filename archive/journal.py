"""The journal: records become durable in the catalogue, many waiting writers to one commit.

Invariants: a record is answered for only after the commit that holds it, with `synchronous=FULL`; of two records with
one id the first is kept and the second is a duplicate, also after the first has left the hot rows for a segment.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from archive.blocks import without
from archive.known import Fresh, ids_since_ms, in_segments
from archive.store import Archive
from measurement.errors import StorageError

GROUP_BYTES = 8 << 20
"""A commit takes no more than this, so that the first of the waiting is not kept for the last."""

LINGER_S = 0.003
"""So long the first of small batches waits for others, where there were others last time: a commit costs what two
single records cost otherwise."""
SMALL_BYTES = 64 << 10


class Part(NamedTuple):
    """The records of one batch that started on one civil day: their positions in it, and their block."""

    day: str
    positions: list[int]
    body: bytes


class Incoming(NamedTuple):
    """A batch: 16 bytes of each record's id in the order in which they came, and one part a day."""

    ids: list[bytes]
    parts: list[Part]


class Receipt(NamedTuple):
    """What became of a batch: positions of those already known, and the sequence of the last that is new."""

    duplicates: frozenset[int]
    last_sequence: int


Done = Callable[[Receipt | StorageError], None]


class _Waiting(NamedTuple):
    batch: Incoming
    done: Done
    byte_count: int


class Journal:
    """One writer thread with its own connection. `append` never blocks; `done` is called on the writer's thread."""

    def __init__(self, archive: Archive) -> None:
        """Start the writer; the archive's connection is its own from now on."""
        self._archive = archive
        self._fresh = Fresh()
        self._next_sequence: int | None = None  # None until the fresh ids have been read
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self.waiting_bytes = 0
        self.commit_count = 0
        self.commit_seconds = 0.0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, batch: Incoming, done: Done) -> None:
        """Hand over a batch; `done` gets its receipt after the commit, or why it is not kept."""
        size = sum(len(part.body) for part in batch.parts) + 64 * len(batch.ids)
        with self._lock:
            self.waiting_bytes += size
        self._queue.put(_Waiting(batch, done, size))

    def close(self) -> None:
        """Commit what waits and end the writer."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open, is_busy = True, False
        while is_open:
            group: list[_Waiting] = []
            size = 0
            item = self._queue.get()
            if is_busy and item is not None and item.byte_count < SMALL_BYTES:
                time.sleep(LINGER_S)
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
            is_busy = len(group) > 1
            if group:
                self._commit(group, size)

    def _commit(self, group: list[_Waiting], size: int) -> None:
        start = time.perf_counter()
        answers: list[Receipt] | StorageError
        try:
            with self._archive.transaction() as connection:
                answers = self._write(connection, [waiting.batch for waiting in group])
        except (sqlite3.Error, OSError) as error:
            answers = StorageError(f"The journal cannot take records: {error}")
            self._next_sequence = None
        self.commit_count += 1
        self.commit_seconds += time.perf_counter() - start
        with self._lock:
            self.waiting_bytes -= size
        for index, waiting in enumerate(group):
            waiting.done(answers if isinstance(answers, StorageError) else answers[index])

    def _write(self, connection: sqlite3.Connection, batches: list[Incoming]) -> list[Receipt]:
        count = sum(len(batch.ids) for batch in batches)
        first = self._archive.take_sequences(connection, count)
        if first != self._next_sequence:
            # The first commit, one that failed, or somebody else has written meanwhile.
            self._fresh.load(connection)
        self._next_sequence = first + count
        known = self._known(connection, [key for batch in batches for key in batch.ids])
        receipts: list[Receipt] = []
        blocks: list[tuple[int, int, str, int, bytes]] = []
        fresh: list[bytes] = []
        for batch in batches:
            duplicates = _enter(batch.ids, known, fresh)
            for part in batch.parts:
                kept = [position for position in part.positions if position not in duplicates]
                body = part.body
                if kept and len(kept) < len(part.positions):
                    body = without(body, frozenset(i for i, p in enumerate(part.positions) if p in duplicates))
                if kept:
                    blocks.append((first + kept[-1], first + kept[0], part.day, len(kept), body))
            first += len(batch.ids)
            receipts.append(Receipt(duplicates, first - 1))
        self._fresh.add(connection, first - 1, fresh)
        connection.executemany(
            "INSERT INTO hot (sequence, first_sequence, day, row_count, body) VALUES (?, ?, ?, ?, ?)", blocks
        )
        self._archive.change_hot_rows(connection, sum(block[3] for block in blocks))
        return receipts

    def _known(self, connection: sqlite3.Connection, ids: list[bytes]) -> set[bytes]:
        """Return those of the ids that have been kept before."""
        known = self._fresh.known(connection, ids)
        horizon = ids_since_ms(self._archive)
        old = [key for key in ids if int.from_bytes(key[:6]) < horizon] if horizon else []
        return known | in_segments(self._archive, connection, old) if old else known


def _enter(ids: list[bytes], known: set[bytes], fresh: list[bytes]) -> frozenset[int]:
    """Add new ids to `known` and `fresh`; return the positions of those that are known."""
    duplicates = []
    for position, key in enumerate(ids):
        if key in known:
            duplicates.append(position)
        else:
            known.add(key)
            fresh.append(key)
    return frozenset(duplicates)
