"""Has this record been kept before? The table `ids` answers for recent ids, the segments for older ones.

The table is bounded: `forget` removes ids whose UUIDv7 time lies before the horizon, once their records are in
segments. An id from before the horizon is looked up in the segments whose range of ids it falls into; such records
are rare (a probe that was away for longer than the horizon), so reading a column of a file for them is fair.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from archive.store import Archive


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
    """Return the time from which on the table `ids` is complete."""
    return int(archive.setting("ids_since_ms") or 0)


def forget(archive: Archive, before_ms: int, limit: int = 20_000) -> int:
    """Remove up to `limit` ids whose time is before `before_ms` and whose records are sealed; return how many."""
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
