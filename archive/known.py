"""Has this record been kept before? `fresh_ids` and `ids` answer for recent ids, the segments for older ones.

Ids come in no order, and entering each where it belongs in a tree would write a page for nearly every one. So a commit
appends its new ids to `fresh_ids` as one row, and the journal holds those in memory too (`Fresh`); now and then
`settle` moves them to the tree `ids`, sorted and many at once, so that a page is written once for all that it takes.

The tree is bounded: `forget` removes ids whose UUIDv7 time lies before the horizon, once their records are in
segments. An id from before the horizon is looked up in the segments whose range of ids it falls into; such records
are rare (a probe that was away for longer than the horizon), so reading a column of a file for them is fair.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from archive.store import Archive

ID_BYTES = 16
MOST_ASKED = 10_000
"""Ids in one question to the tree; SQLite takes 32,766 parameters."""
SETTLE_IDS = 400_000
"""Ids sorted at once: some 60 MB."""
SETTLE_AT_ONCE = 5_000
"""Ids entered in one transaction: a few milliseconds, for which the journal may have to wait."""


def _apart(joined: bytes) -> list[bytes]:
    return [joined[at : at + ID_BYTES] for at in range(0, len(joined), ID_BYTES)]


class Fresh:
    """The ids in `fresh_ids`, in memory: some 110 bytes each. Belongs to the one who writes the journal."""

    def __init__(self) -> None:
        """Hold nothing yet; `load` reads what is there."""
        self._held: set[bytes] = set()
        self._groups: deque[tuple[int, list[bytes]]] = deque()

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the table anew."""
        self._held, self._groups = set(), deque()
        for sequence, joined in connection.execute("SELECT sequence, ids FROM fresh_ids ORDER BY sequence"):
            self._hold(sequence, _apart(joined))

    def known(self, connection: sqlite3.Connection, ids: Sequence[bytes]) -> set[bytes]:
        """Return those of the ids that stand in `fresh_ids` or in the tree `ids`."""
        self._drop_settled(connection)
        found = self._held.intersection(ids)
        asked = [key for key in ids if key not in found]
        for start in range(0, len(asked), MOST_ASKED):
            part = asked[start : start + MOST_ASKED]
            rows = connection.execute(
                f"SELECT record_id FROM ids WHERE record_id IN ({','.join('?' * len(part))})", part
            )
            found.update(key for (key,) in rows)
        return found

    def add(self, connection: sqlite3.Connection, sequence: int, ids: list[bytes]) -> None:
        """Enter ids that are not known, within the caller's transaction; where that fails, `load` again."""
        if ids:
            connection.execute("INSERT INTO fresh_ids VALUES (?, ?)", (sequence, b"".join(ids)))
            self._hold(sequence, ids)

    def _hold(self, sequence: int, ids: list[bytes]) -> None:
        self._held.update(ids)
        self._groups.append((sequence, ids))

    def _drop_settled(self, connection: sqlite3.Connection) -> None:
        """Let go of ids that are in the tree by now."""
        (least,) = connection.execute("SELECT min(sequence) FROM fresh_ids").fetchone()
        while self._groups and (least is None or self._groups[0][0] < least):
            self._held.difference_update(self._groups.popleft()[1])


def settle(archive: Archive) -> int:
    """Move the oldest fresh ids into the tree; return how many, 0 when there are none.

    A crash within leaves ids in both places, and the next call enters them again: once entered is entered.
    """
    pairs: list[tuple[bytes, int]] = []
    through = 0
    for sequence, joined in archive.connection.execute("SELECT sequence, ids FROM fresh_ids ORDER BY sequence"):
        pairs.extend((key, sequence) for key in _apart(joined))
        through = sequence
        if len(pairs) >= SETTLE_IDS:
            break
    pairs.sort()
    for start in range(0, len(pairs), SETTLE_AT_ONCE):
        with archive.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?)", pairs[start : start + SETTLE_AT_ONCE])
    if pairs:
        with archive.transaction() as connection:
            connection.execute("DELETE FROM fresh_ids WHERE sequence <= ?", (through,))
    return len(pairs)


def _text(record_id: bytes) -> str:
    digits = record_id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def in_segments(archive: Archive, connection: sqlite3.Connection, record_ids: Sequence[bytes]) -> set[bytes]:
    """Return those of the ids that stand in a segment."""
    wanted = {_text(record_id): record_id for record_id in record_ids}
    rows = connection.execute(
        "SELECT path FROM segments WHERE replaced_at IS NULL AND first_id <= ? AND last_id >= ?",
        (max(record_ids), min(record_ids)),
    ).fetchall()
    found: set[bytes] = set()
    for (path,) in rows:
        column = pl.scan_parquet(archive.path / path, glob=False).select("record_id")
        held = column.filter(pl.col("record_id").is_in(list(wanted))).collect()["record_id"]
        found.update(wanted[text] for text in held)
    return found


def ids_since_ms(archive: Archive) -> int:
    """Return the time from which on `ids` and `fresh_ids` together are complete."""
    return int(archive.setting("ids_since_ms") or 0)


def forget(archive: Archive, before_ms: int, limit: int = 20_000) -> int:
    """Remove up to `limit` settled ids whose time is before `before_ms` and whose records are sealed; return how many.

    Ids that are still fresh stay until they are settled.
    """
    before_ms = max(before_ms, ids_since_ms(archive))
    horizon = before_ms.to_bytes(6)
    with archive.transaction() as connection:
        # In the same transaction: from now on the journal looks older ids up in the segments too.
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('ids_since_ms', ?)", (str(before_ms),))
        cursor = connection.execute(
            "DELETE FROM ids WHERE record_id IN (SELECT record_id FROM ids WHERE record_id < ?"
            " AND sequence <= (SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'sealed_through')"
            " ORDER BY record_id LIMIT ?)",
            (horizon, limit),
        )
        return cursor.rowcount
