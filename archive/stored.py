"""How a column stands in a block: as its values, as one value for all rows, or as the bytes of its numbers.

Most columns of a batch say the same in every row or are numbers without a gap. Told so, a block is half as long, and
neither writing nor sealing it touches each value alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np
import polars as pl

Stored = list[Any] | bytes
FEW = 16
"""Below, values are written as they are."""


class Part(NamedTuple):
    """A column of one block and how many values it stands for; None where the block lacks it."""

    stored: Stored | None
    rows: int


def store(values: list[Any], code: str | None) -> Stored:
    """Return how to write a column whose numbers have the type `code` of `array`, None where it holds none."""
    if len(values) < FEW:
        return values
    first = values[0]
    if first == values[-1] == values[len(values) // 2] and values.count(first) == len(values):
        return [first]
    if code is None:
        return values
    try:
        return array(code, values).tobytes()
    except TypeError:  # a gap
        return values


def values_of(part: Part, code: str | None) -> list[Any]:
    """Return a column's values."""
    stored, rows = part
    if stored is None:
        return [None] * rows
    if isinstance(stored, bytes):
        return array(code or "d", stored).tolist()
    return stored * rows if len(stored) == 1 else stored


def series(name: str, parts: Sequence[Part], code: str | None, dtype: Any) -> pl.Series:
    """Return the values of several blocks end to end."""
    if code is not None and all(isinstance(part.stored, bytes) for part in parts):
        joined = b"".join(part.stored for part in parts if isinstance(part.stored, bytes))
        return pl.Series(name, np.frombuffer(joined, np.float64 if code == "d" else np.int64)).cast(dtype)
    if all(part.stored is None or len(part.stored) == 1 for part in parts):
        singles = pl.Series(name, [None if part.stored is None else part.stored[0] for part in parts], dtype=dtype)
        return singles.gather(np.repeat(np.arange(len(parts), dtype=np.uint32), [part.rows for part in parts]))
    return pl.Series(name, list(chain.from_iterable(_values(parts, code))), dtype=dtype)


def _values(parts: Sequence[Part], code: str | None) -> Iterator[Iterator[Any] | list[Any]]:
    for part in parts:
        if part.stored is None:
            yield repeat(None, part.rows)
        else:
            yield values_of(part, code)
