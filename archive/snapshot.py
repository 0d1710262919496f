"""What the archive held at one instant: every acknowledged record exactly once, read a day at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from archive import blocks, layout
from archive.frames import schema


class Segment(NamedTuple):
    """One Parquet file of one civil day. `path` is absolute."""

    day: str
    path: Path
    row_count: int
    sha256: str
    first_sequence: int
    last_sequence: int


_SEGMENTS = """SELECT day, path, row_count, sha256, first_sequence, last_sequence FROM segments
               WHERE replaced_at IS NULL ORDER BY day, id"""
_HOT = "sequence > (SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'sealed_through')"


class Snapshot:
    """One read transaction on a connection of its own, so that writing and sealing go on beside it.

    Close it soon: SQLite cannot shorten its write-ahead log below the oldest open snapshot. Sent to another process
    it carries its hot rows along.
    """

    def __init__(self, folder: Path) -> None:
        """Begin reading the archive in `folder`."""
        self.folder = folder
        self._connection: sqlite3.Connection | None = sqlite3.connect(
            folder / layout.CATALOGUE, timeout=30, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("BEGIN")
        rows = self._connection.execute(_SEGMENTS).fetchall()
        self.segments = [Segment(row[0], folder / row[1], *row[2:]) for row in rows]
        self.layers = [key for (key,) in self._connection.execute("SELECT key FROM layers ORDER BY position")]
        self.hot_counts: dict[str, int] = dict(
            self._connection.execute(f"SELECT day, sum(row_count) FROM hot WHERE {_HOT} GROUP BY day").fetchall()
        )
        self._carried: dict[str, list[bytes]] = {}

    @property
    def days(self) -> list[str]:
        """Every civil day that holds records, ascending."""
        return sorted({segment.day for segment in self.segments} | set(self.hot_counts))

    @property
    def row_count(self) -> int:
        """The number of records."""
        return sum(segment.row_count for segment in self.segments) + sum(self.hot_counts.values())

    def hot_blocks(self, day: str) -> Iterator[bytes]:
        """Yield the blocks (`archive.blocks`) of one day that are in no segment yet."""
        if self._connection is None:
            yield from self._carried.get(day, ())
            return
        for (body,) in self._connection.execute(
            f"SELECT body FROM hot WHERE day = ? AND {_HOT} ORDER BY sequence", (day,)
        ):
            yield body

    def first_hot(self, after: int) -> int | None:
        """Return the sequence of the first hot block after a sequence, None where there is none."""
        (found,) = (
            self._reading().execute(f"SELECT min(sequence) FROM hot WHERE sequence > ? AND {_HOT}", (after,)).fetchone()
        )
        return None if found is None else int(found)

    def hot_after(self, after: int, until: int, limit_bytes: int) -> tuple[list[bytes], int]:
        """Return the hot blocks between two sequences, up to about `limit_bytes`, and the sequence of the last."""
        bodies: list[bytes] = []
        size, through = 0, after
        for sequence, body in self._reading().execute(
            f"SELECT sequence, body FROM hot WHERE sequence > ? AND sequence < ? AND {_HOT} ORDER BY sequence",
            (after, until),
        ):
            bodies.append(body)
            size, through = size + len(body), int(sequence)
            if size >= limit_bytes:
                break
        return bodies, through

    def _reading(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("The snapshot is closed.")
        return self._connection

    def frame(self, day: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the records of one day with the named columns (all where None)."""
        wanted = schema(self.layers)
        names = list(wanted if columns is None else columns)
        parts = [pl.DataFrame(schema={name: wanted[name] for name in names})]
        parts += [read_segment(s.path, names, wanted) for s in self.segments if s.day == day]
        if day in self.hot_counts:
            parts += [blocks.frame(chunk, self.layers).select(names) for chunk in self._hot_chunks(day)]
        return pl.concat(parts)

    def _hot_chunks(self, day: str, limit: int = 16 << 20) -> Iterator[list[bytes]]:
        """Gather small blocks, so that a day of single records does not become as many frames."""
        chunk: list[bytes] = []
        size = 0
        for block in self.hot_blocks(day):
            chunk.append(block)
            size += len(block)
            if size >= limit:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk

    def close(self) -> None:
        """End the read transaction."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        carried = {day: list(self.hot_blocks(day)) for day in self.hot_counts}
        return self.__dict__ | {"_connection": None, "_carried": carried}


def read_segments(paths: Sequence[Path], names: Sequence[str], wanted: dict[str, Any]) -> pl.DataFrame:
    """Read the named columns of many segments, one after the other, as `read_segment` reads one."""
    held = {name: wanted[name] for name in names}
    lazy = pl.scan_parquet(list(paths), glob=False, schema=held, missing_columns="insert", extra_columns="ignore")
    return lazy.collect()


def read_segment(path: Path, names: Sequence[str], wanted: dict[str, Any]) -> pl.DataFrame:
    """Read the named columns of a segment; one older than a field or a layer lacks its column: absent is null."""
    lazy = pl.scan_parquet(path, glob=False)
    held = lazy.collect_schema().names()
    return lazy.select(
        pl.col(name) if name in held else pl.lit(None, dtype=wanted[name]).alias(name) for name in names
    ).collect()
