"""Reading the archive in the order of arrival: what came after a sequence, from segments and hot blocks alike.

A cursor is a sequence. A segment counts as read where the cursor has reached its `last_sequence`, a hot block where it
has reached its `sequence`. Whoever stopped in the midst of a segment reads that segment again: delivery is at least
once, so a reader must write so that twice is once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from archive import blocks
from archive.frames import schema
from archive.store import Archive

MOST_ROWS = 50_000
MOST_HOT_BYTES = 8 << 20


class Chunk(NamedTuple):
    """Some records in archive columns. `cursor` may be taken once they are delivered; None where more of them follow.

    `segment` is the file they came from (immutable, in the catalogue), None for hot rows.
    """

    frame: pl.DataFrame
    cursor: int | None
    segment: Path | None


def after(archive: Archive, cursor: int, *, is_sealed_only: bool = False) -> Iterator[Chunk]:
    """Yield the next segment or the next hot blocks after `cursor`; nothing where there is none.

    With `is_sealed_only` hot rows are waited for until they are in a segment, and so are later segments.
    """
    # The snapshot ends before anything is yielded: a slow reader must not hold the write-ahead log. A segment that
    # is not delivered yet is never merged away, so its file stays.
    bodies: list[bytes] = []
    with archive.snapshot() as snapshot:
        segments = [s for s in snapshot.segments if s.last_sequence > cursor]
        segment = min(segments, key=lambda s: s.last_sequence, default=None)
        first_hot = snapshot.first_hot(cursor)
        if first_hot is not None and (segment is None or first_hot < segment.last_sequence):
            if is_sealed_only:
                return
            limit = 2**62 if segment is None else segment.last_sequence
            bodies, through = snapshot.hot_after(cursor, limit, MOST_HOT_BYTES)
    if bodies:
        yield Chunk(blocks.frame(bodies, snapshot.layers), through, None)
    elif segment is not None:
        yield from _of_segment(segment.path, segment.last_sequence, snapshot.layers)


def _of_segment(path: Path, last_sequence: int, layers: list[str]) -> Iterator[Chunk]:
    wanted = schema(layers)
    lazy = pl.scan_parquet(path, glob=False)
    held = lazy.collect_schema().names()
    columns = [pl.col(n) if n in held else pl.lit(None, dtype=dtype).alias(n) for n, dtype in wanted.items()]
    total = int(lazy.select(pl.len()).collect().item())
    for start in range(0, total, MOST_ROWS):
        is_last = start + MOST_ROWS >= total
        frame = lazy.slice(start, MOST_ROWS).select(columns).collect()
        yield Chunk(frame, last_sequence if is_last else None, path)
