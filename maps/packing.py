"""Tables as small scripts: columns of numbers, words numbered, so that a page loads them from a server or a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

_FORBIDDEN = {b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029", b"<": b"\\u003c"}


def script(name: str, value: Any) -> bytes:
    """Return a script that hands `value` to the page under `name`; text in it cannot become code or markup."""
    body = msgspec.json.encode([name, value])
    for raw, escaped in _FORBIDDEN.items():
        body = body.replace(raw, escaped)
    return b"haidang.receive.apply(null," + body + b");\n"


def write_script(folder: Path, name: str, value: Any) -> int:
    """Write `folder/data/NAME.js`; return its size in bytes."""
    path = folder / "data" / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_bytes(script(name, value))


def rounded(frame: pl.DataFrame, digits: int) -> pl.DataFrame:
    """Round every real column to significant digits; what is not finite becomes absent.

    Examples
    --------
    >>> rounded(pl.DataFrame({'v': [12.34567, None, float('inf')]}), 4)['v'].to_list()
    [12.35, None, None]
    """
    return frame.with_columns(
        pl.when(pl.col(name).is_finite()).then(pl.col(name).round_sig_figs(digits)).alias(name)
        for name in frame.columns
        if frame[name].dtype.is_float()
    )


class Prepared(NamedTuple):
    """A whole table made ready once, so that its slices are only cut: rounded, its words numbered."""

    frame: pl.DataFrame
    words: dict[str, list[str]]


def prepare(frame: pl.DataFrame, words: Iterable[str] = (), digits: int = 4) -> Prepared:
    """Round the figures of a table and number the words of the named columns; −1 stands for absent."""
    vocabulary = {name: sorted(frame[name].drop_nulls().unique()) for name in words if name in frame.columns}
    numbered = (
        pl.col(name).replace_strict(known, range(len(known)), default=-1, return_dtype=pl.Int64).alias(name)
        if known
        else pl.lit(-1, dtype=pl.Int64).alias(name)
        for name, known in vocabulary.items()
    )
    return Prepared(rounded(frame, digits).with_columns(numbered), vocabulary)


def cut(part: pl.DataFrame, words: dict[str, list[str]]) -> dict[str, Any]:
    """Return a slice of a prepared table as `{count, columns, words}`."""
    columns = {
        name: (part[name].cast(pl.String) if part[name].dtype.is_temporal() else part[name]).to_list()
        for name in part.columns
    }
    held = {name: known for name, known in words.items() if name in columns}
    return {"count": part.height, "columns": columns, "words": held}


def pack(frame: pl.DataFrame, words: Iterable[str] = (), digits: int = 4) -> dict[str, Any]:
    """Return a whole table as `{count, columns, words}`.

    Examples
    --------
    >>> pack(pl.DataFrame({'o': ['b', 'a', None], 'v': [1.23456, 2.0, None]}), ['o'], digits=3)['columns']
    {'o': [1, 0, -1], 'v': [1.23, 2.0, None]}
    """
    ready = prepare(frame, words, digits)
    return cut(ready.frame, ready.words)
