"""Blocks: records as columns, the form in which the journal holds them until they are sealed.

`archive.gathering` makes them of records; here they are written, thinned, and read as frames. A block is MessagePack:
`rows`, the scalar columns that are not wholly absent by their archive names, and for each column of lists (`radio`,
`path_hops`, `flags`, the slices) how many items stand in each row and the items end to end: by field where they are
structs, under "" where they are plain. An empty list is kept as an absent one. How the values of one column are
written is `archive.stored`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import polars as pl

from archive.frames import DTYPES, leg_summaries, schema
from archive.stored import FEW, Part, Stored, series, store, values_of
from measurement.columns import COLUMNS, Kind, struct_fields
from measurement.record import Hop, RadioSample

STRUCTS: dict[str, type[msgspec.Struct]] = {"radio": RadioSample, "path_hops": Hop}
PLAIN = frozenset(c.name for c in COLUMNS if c.kind in (Kind.INTEGERS, Kind.TEXTS))
NESTED = PLAIN | set(STRUCTS)
"""Columns of lists: of structs, and all of them."""
_encoder = msgspec.msgpack.Encoder()


class Block(msgspec.Struct, gc=False):
    """The content of a block."""

    rows: int
    columns: dict[str, list[Any]]
    counts: dict[str, list[int]]
    nested: dict[str, dict[str, list[Any]]]


class StoredBlock(msgspec.Struct, gc=False):
    """A block as it is written: each column as `archive.stored` has it."""

    rows: int
    columns: dict[str, Stored]
    counts: dict[str, list[int]]
    nested: dict[str, dict[str, Stored]]

    def column(self, name: str) -> Part:
        """Return a column of scalars."""
        return Part(self.columns.get(name), self.rows)

    def items(self, name: str, field: str) -> Part:
        """Return a field of the items of a column of lists, end to end."""
        return Part(self.nested.get(name, {}).get(field), sum(self.counts.get(name, ())))


_decoder = msgspec.msgpack.Decoder(StoredBlock)
_CODES = {Kind.REAL: "d", Kind.INTEGER: "q", Kind.INSTANT: "q", Kind.CELL: "q", Kind.INTEGERS: "q"}
_NUMBERS = {column.name: _CODES[column.kind] for column in COLUMNS if column.kind in _CODES}
_FIELD_NUMBERS = {
    (name, field): {float: "d", int: "q"}.get(hint)
    for name, kind in STRUCTS.items()
    for field, hint in struct_fields(kind).items()
}


def _code(name: str, field: str = "") -> str | None:
    """Return the type of `array` that holds the numbers of a column, or of a field of its items."""
    return _FIELD_NUMBERS[name, field] if field else _NUMBERS.get(name)


def encode(block: Block) -> bytes:
    """Return the bytes of a block."""
    if block.rows < FEW:
        return _encoder.encode(block)
    columns = {name: store(values, _code(name)) for name, values in block.columns.items()}
    nested = {
        name: {field: store(values, _code(name, field)) for field, values in inner.items()}
        for name, inner in block.nested.items()
    }
    return _encoder.encode(StoredBlock(block.rows, columns, block.counts, nested))


def decode(body: bytes) -> Block:
    """Return a block with the values of each row."""
    held = _decoder.decode(body)
    columns = {name: values_of(held.column(name), _code(name)) for name in held.columns}
    nested = {
        name: {field: values_of(held.items(name, field), _code(name, field)) for field in inner}
        for name, inner in held.nested.items()
    }
    return Block(held.rows, columns, held.counts, nested)


def without(body: bytes, dropped: frozenset[int]) -> bytes:
    """Return a block without some of its rows."""
    block = decode(body)
    return encode(only(block, [row for row in range(block.rows) if row not in dropped]))


def only(block: Block, kept: list[int]) -> Block:
    """Return some rows of a block, given in ascending order."""
    columns = {name: [values[row] for row in kept] for name, values in block.columns.items()}
    nested, counts, held = {}, {}, set(kept)
    for name, inner in block.nested.items():
        owner = [row for row, count in enumerate(block.counts[name]) for _ in range(count)]
        at = [index for index, row in enumerate(owner) if row in held]
        nested[name] = {field: [values[index] for index in at] for field, values in inner.items()}
        counts[name] = [block.counts[name][row] for row in kept]
    return Block(len(kept), columns, counts, nested)


def frame(bodies: Iterable[bytes], layers: Sequence[str]) -> pl.DataFrame:
    """Return the records of blocks as a frame with every archive column, in order."""
    blocks = [_decoder.decode(body) for body in bodies]
    total = sum(block.rows for block in blocks)
    wanted = schema(layers)
    columns = {
        name: _nested_series(name, blocks, dtype) if name in NESTED else _series(name, blocks, dtype)
        for name, dtype in wanted.items()
        if name in NESTED or any(name in block.columns for block in blocks)
    }
    held = pl.DataFrame({name: values for name, values in columns.items() if values is not None}, height=total)
    flat = held.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in held.columns
    )
    summarised = {name for name in flat.columns if name.startswith(("radio_anchor_", "radio_nr_"))}
    return leg_summaries(flat.drop(summarised)).select(list(wanted))


def _series(name: str, blocks: list[StoredBlock], dtype: Any) -> pl.Series:
    parts = [block.column(name) for block in blocks]
    if dtype == DTYPES[Kind.INSTANT]:
        return series(name, parts, _code(name), pl.Int64).cast(dtype)
    return series(name, parts, _code(name), dtype)


def _nested_series(name: str, blocks: list[StoredBlock], dtype: Any) -> pl.Series | None:
    if not any(name in block.nested for block in blocks):
        return None
    counts = [count for block in blocks for count in (block.counts.get(name) or [0] * block.rows)]
    fields = {"": dtype.inner} if name in PLAIN else {field.name: field.dtype for field in dtype.inner.fields}
    columns = [
        series(field or name, [block.items(name, field) for block in blocks], _code(name, field), inner)
        for field, inner in fields.items()
    ]
    rows = pl.Series("row", range(len(counts)), dtype=pl.UInt32)
    owner = rows.to_frame().select(pl.col("row").repeat_by(pl.Series(counts, dtype=pl.UInt32)).explode().drop_nulls())
    flat = pl.DataFrame(columns)
    items = flat if name in PLAIN else flat.select(pl.struct(pl.all()).alias(name))
    grouped = items.hstack(owner).group_by("row", maintain_order=True).agg(name)
    return rows.to_frame().join(grouped, on="row", how="left", maintain_order="left")[name]
