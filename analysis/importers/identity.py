"""Record ids of imported rows: UUIDv7 of the row's time and a digest of its content.

The same row of the same file gives the same id whenever and wherever it is imported, so nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import polars as pl


def digests(rows: Iterable[bytes], salt: str) -> list[bytes]:
    """Return ten bytes for each row's text."""
    person = blake2b(salt.encode(), digest_size=16).digest()
    return [blake2b(row, digest_size=10, person=person).digest() for row in rows]


def uuid7s(unix_ms: pl.Series, noise: list[bytes]) -> pl.Series:
    """Compose UUIDv7 texts from times and ten bytes each."""
    count = len(noise)
    raw = np.empty((count, 16), dtype=np.uint8)
    raw[:, :6] = unix_ms.to_numpy().astype(">u8").view(np.uint8).reshape(count, 8)[:, 2:]
    raw[:, 6:] = np.frombuffer(b"".join(noise), dtype=np.uint8).reshape(count, 10)
    raw[:, 6] = raw[:, 6] & 0x0F | 0x70
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    text = raw.tobytes().hex()
    digits = pl.Series([text[i : i + 32] for i in range(0, 32 * count, 32)], dtype=pl.String)
    frame = pl.DataFrame({"d": digits}).select(
        pl.concat_str(
            *(pl.col("d").str.slice(start, length) for start, length in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))),
            separator="-",
        ).alias("record_id")
    )
    return frame["record_id"]
