"""Hot rows leave the journal for segments; small segments are merged; what is replaced goes after a grace time.

Order matters. A segment's file is written and fsynced first; then one transaction enters it in the catalogue and
raises `sealed_through`, which takes its hot rows out of every later snapshot; only then are those rows deleted, a few
at a time, so that no commit of the journal waits long for the lock. A crash anywhere leaves a file nobody knows
(`sweep` removes it) or rows that no longer count (`clear` removes them), never a record twice or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from archive import blocks, layout
from archive.frames import schema
from archive.snapshot import read_segment
from archive.store import Archive, Written

CHUNK_BYTES = 8 << 20
"""Blocks turned into a frame at once; bounds the sealer's memory."""
CLEAR_ROWS = 32
"""Blocks deleted in one transaction: some 9 MB, so that the journal never waits longer than a few milliseconds."""


class _Block(NamedTuple):
    sequence: int
    first_sequence: int
    day: str
    body: bytes


def _blocks(archive: Archive, limit_bytes: int, until: int) -> Iterator[_Block]:
    size = 0
    cursor = archive.connection.execute(
        "SELECT sequence, first_sequence, day, body FROM hot WHERE sequence >"
        " (SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'sealed_through')"
        " AND sequence <= ? ORDER BY sequence",
        (until,),
    )
    for row in cursor:
        yield _Block(*row)
        size += len(row[3])
        if size >= limit_bytes:
            cursor.close()
            return


def hot_rows(archive: Archive) -> int:
    """Return the number of records that are in no segment; a look-up, however many there are."""
    return int(archive.setting("hot_rows") or 0)


def seal(archive: Archive, limit_bytes: int = 8 * CHUNK_BYTES, until: int = 2**62) -> int:
    """Move the oldest hot rows, up to about `limit_bytes` of blocks, into one segment a day; return how many.

    Rows after the sequence `until` stay: those that a sink, which has the others, has still to take.
    """
    layers = archive.layer_keys()
    begin = _sealed_through(archive.connection)
    frames: dict[str, list[pl.DataFrame]] = {}
    ranges: dict[str, tuple[int, int]] = {}
    pending: dict[str, list[bytes]] = {}
    sizes: dict[str, int] = {}
    through = 0

    def flush(day: str) -> None:
        frames.setdefault(day, []).append(blocks.frame(pending.pop(day), layers))
        sizes[day] = 0

    for block in _blocks(archive, limit_bytes, until):
        first, _ = ranges.get(block.day, (block.first_sequence, 0))
        ranges[block.day] = (first, block.sequence)
        pending.setdefault(block.day, []).append(block.body)
        sizes[block.day] = sizes.get(block.day, 0) + len(block.body)
        through = block.sequence
        if sizes[block.day] >= CHUNK_BYTES:
            flush(block.day)
    for day in list(pending):
        flush(day)
    if not frames:
        return 0
    written = [archive.write_segment(pl.concat(parts), day) for day, parts in frames.items()]
    with archive.transaction() as connection:
        if _sealed_through(connection) != begin:
            # Another sealer was faster (one that outlived its collector); its segments hold these rows.
            _discard(written)
            return 0
        for segment in written:
            archive.enter_segment(connection, segment, *ranges[segment.day])
        connection.execute("UPDATE settings SET value = ? WHERE name = 'sealed_through'", (str(through),))
        archive.change_hot_rows(connection, -sum(segment.row_count for segment in written))
    return sum(segment.row_count for segment in written)


def _sealed_through(connection: sqlite3.Connection) -> int:
    (value,) = connection.execute("SELECT value FROM settings WHERE name = 'sealed_through'").fetchone()
    return int(value)


def _discard(written: Iterable[Written]) -> None:
    for segment in written:
        segment.path.unlink(missing_ok=True)


def clear(archive: Archive) -> int:
    """Delete some hot blocks that are in segments; return how many, 0 when there are none left."""
    with archive.transaction() as connection:
        cursor = connection.execute(
            "DELETE FROM hot WHERE sequence IN (SELECT sequence FROM hot WHERE sequence <="
            " (SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'sealed_through')"
            " ORDER BY sequence LIMIT ?)",
            (CLEAR_ROWS,),
        )
        return cursor.rowcount


class _Part(NamedTuple):
    id: int
    path: str
    row_count: int
    first_sequence: int
    last_sequence: int


def _small(archive: Archive, day: str, rows: int, through: int) -> list[_Part]:
    found = archive.connection.execute(
        "SELECT id, path, row_count, first_sequence, last_sequence FROM segments WHERE replaced_at IS NULL"
        " AND day = ? AND row_count < ? AND last_sequence <= ? ORDER BY last_sequence",
        (day, rows, through),
    ).fetchall()
    return [_Part(*row) for row in found]


def merge(archive: Archive, through: int, *, rows: int = 200_000, least: int = 4) -> int:
    """Merge the small segments of one day into one; return how many were replaced, 0 when none need it.

    Only segments up to sequence `through` are touched: those that every sink has passed.
    """
    days = archive.connection.execute(
        "SELECT day FROM segments WHERE replaced_at IS NULL AND row_count < ? AND last_sequence <= ?"
        " GROUP BY day HAVING count(*) >= ? ORDER BY count(*) DESC LIMIT 1",
        (rows, through, least),
    ).fetchall()
    if not days:
        return 0
    day = str(days[0][0])
    chosen: list[_Part] = []
    for part in _small(archive, day, rows, through):
        if chosen and sum(p.row_count for p in chosen) + part.row_count > 2 * rows:
            break
        chosen.append(part)
    if len(chosen) < 2:
        return 0
    wanted = schema(archive.layer_keys())
    frame = pl.concat(read_segment(archive.path / part.path, list(wanted), wanted) for part in chosen)
    written = archive.write_segment(frame, day)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with archive.transaction() as connection:
        live = f"SELECT count(*) FROM segments WHERE replaced_at IS NULL AND id IN ({','.join('?' * len(chosen))})"
        if connection.execute(live, [part.id for part in chosen]).fetchone() != (len(chosen),):
            _discard([written])
            return 0
        archive.enter_segment(
            connection, written, min(p.first_sequence for p in chosen), max(p.last_sequence for p in chosen)
        )
        connection.executemany("UPDATE segments SET replaced_at = ? WHERE id = ?", [(now, p.id) for p in chosen])
    return len(chosen)


def sweep(archive: Archive, now: datetime, grace: timedelta = timedelta(minutes=15)) -> int:
    """Delete files that were replaced, or that a crash left unknown, longer ago than `grace`; return how many."""
    limit = (now - grace).isoformat(timespec="seconds")
    rows = archive.connection.execute("SELECT id, path FROM segments WHERE replaced_at < ?", (limit,)).fetchall()
    for identity, path in rows:
        (archive.path / path).unlink(missing_ok=True)
        archive.connection.execute("DELETE FROM segments WHERE id = ?", (identity,))
    known = {path for (path,) in archive.connection.execute("SELECT path FROM segments")}
    strays = [p for p in _files(archive) if str(p.relative_to(archive.path)) not in known]
    old = [p for p in strays if p.stat().st_mtime < (now - grace).timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(rows) + len(old)


def _files(archive: Archive) -> list[Path]:
    return list((archive.path / layout.SEGMENTS).glob("*/*.parquet"))
