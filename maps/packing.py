"""Tables as small scripts: columns of numbers, words numbered, so that a page loads them from a server or a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

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


def significant(values: pl.Series, digits: int = 4) -> list[Any]:
    """Return numbers rounded to significant digits, absent ones as None, whole ones as integers.

    Examples
    --------
    >>> significant(pl.Series([12.34567, None, 40.0]))
    [12.35, None, 40]
    """
    rounded = values.cast(pl.Float64).fill_nan(None).round_sig_figs(digits).to_list()
    return [int(v) if v is not None and v == int(v) and abs(v) < 2**53 else v for v in map(_finite, rounded)]


def _finite(value: float | None) -> float | None:
    return None if value is None or value in (float("inf"), float("-inf")) else value


def pack(frame: pl.DataFrame, words: Iterable[str] = (), digits: int = 4) -> dict[str, Any]:
    """Return a frame as `{columns: {name: [...]}, words: {name: [...]}}`; the named text columns become numbers."""
    columns: dict[str, list[Any]] = {}
    vocabulary: dict[str, list[Any]] = {}
    numbered = set(words)
    for name in frame.columns:
        series = frame[name]
        if name in numbered:
            vocabulary[name], columns[name] = number(series.to_list())
        elif series.dtype.is_float():
            columns[name] = significant(series, digits)
        elif series.dtype.is_temporal():
            columns[name] = series.cast(pl.String).to_list()
        else:
            columns[name] = series.to_list()
    return {"count": frame.height, "columns": columns, "words": vocabulary}


def number(values: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Return the distinct values in order and the position of each value among them; None is −1.

    Examples
    --------
    >>> number(['b', 'a', None, 'b'])
    (['a', 'b'], [1, 0, -1, 1])
    """
    distinct = sorted({value for value in values if value is not None})
    position = {value: index for index, value in enumerate(distinct)}
    return distinct, [-1 if value is None else position[value] for value in values]
