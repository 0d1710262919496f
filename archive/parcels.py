"""A parcel: some records in archive columns as one short run of bytes, for stores that keep texts, not tables.

MessagePack of the columns that hold anything, each as `archive.stored` has it, deflated: some 110 bytes a record, and
nothing for columns that are absent. Many parcels are opened together, and only the columns that are asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import polars as pl

from archive.frames import schema
from archive.stored import Part, Stored, series, store

_SCHEMA = schema()
_CODES = {pl.Float64: "d", pl.Int64: "q", pl.Datetime: "q"}


class _Parcel(msgspec.Struct, gc=False):
    rows: int
    columns: dict[str, Stored]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Parcel)


def _dtype(name: str) -> Any:
    """Return the type of a column; those of layers hold keys of areas."""
    return _SCHEMA.get(name, pl.String)


def _code(dtype: Any) -> str | None:
    return _CODES.get(dtype.base_type())


def close(frame: pl.DataFrame) -> bytes:
    """Make a parcel of a frame with columns of the archive."""
    columns = {
        column.name: store(column.to_physical().to_list(), _code(column.dtype))
        for column in frame.iter_columns()
        if column.null_count() < frame.height
    }
    return zlib.compress(_encoder.encode(_Parcel(frame.height, columns)), 6)


def open_all(parcels: Iterable[bytes], names: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the records of parcels with the named columns; those that any of them holds where None.

    Raises
    ------
    ValueError
        Where one is no parcel.
    """
    try:
        opened = [_decoder.decode(zlib.decompress(parcel)) for parcel in parcels]
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"Invalid parcel. {error}") from None
    if names is None:
        names = list(dict.fromkeys(name for parcel in opened for name in parcel.columns))
    return pl.DataFrame([_column(name, opened) for name in names])


def _column(name: str, opened: Sequence[_Parcel]) -> pl.Series:
    dtype = _dtype(name)
    code = _code(dtype)
    parts = [Part(parcel.columns.get(name), parcel.rows) for parcel in opened]
    physical = pl.Int64 if isinstance(dtype, pl.Datetime) else dtype
    return series(name, parts, code, physical).cast(dtype)
