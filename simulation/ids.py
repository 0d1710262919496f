"""Many UUIDv7 at once: the layout of `measurement.identity.uuid7`, from arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2")
_SPLITS = (0, 4, 6, 8, 10, 16)


def uuid7s(unix_ms: npt.NDArray[Any], random: npt.NDArray[np.uint8]) -> pl.Series:
    """Return UUIDv7 texts from times in ms and ten random bytes each, shape (n, 10).

    Examples
    --------
    >>> uuid7s(np.array([0x017F22E279B0]), np.zeros((1, 10), dtype=np.uint8)).to_list()
    ['017f22e2-79b0-7000-8000-000000000000']
    """
    count = len(unix_ms)
    raw = np.empty((count, 16), dtype=np.uint8)
    raw[:, :6] = unix_ms.astype(">u8").view(np.uint8).reshape(count, 8)[:, 2:]
    raw[:, 6:] = random
    raw[:, 6] = raw[:, 6] & 0x0F | 0x70
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    text = np.full((count, 37), ord("-"), dtype=np.uint8)
    digits = _HEX[raw].view(np.uint8).reshape(count, 32)
    column = 0
    for start, end in pairwise(_SPLITS):
        width = 2 * (end - start)
        text[:, column : column + width] = digits[:, 2 * start : 2 * end]
        column += width + 1
    text[:, 36] = ord("\n")
    # One long text split by polars is far cheaper than a million Python strings.
    return pl.Series("record_id", [text.tobytes().decode("ascii")[:-1]]).str.split("\n").explode().head(count)
