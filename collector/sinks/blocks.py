"""Records in blocks of columns, so that InfluxDB gives them back at volume.

A point for each record is what dashboards want, and what reading ten million records back does not: Flux makes a table
of every series, and 30,000 phones are as many series. So the sink also writes some hundred records as one point of the
measurement `block`: its field `data` is base64 of a parcel (`archive.parcels`), some 150 bytes a record. A block may
come twice with other neighbours; whoever reads keeps each `record_id` once.
"""

from __future__ import annotations

import base64
import zlib

import polars as pl

from archive import parcels
from collector.sinks.lines import point_time_ns

BLOCK = "block"
MOST_BYTES = 64_000
"""InfluxDB promises strings of 64 KB."""
ROWS = 400
APART_NS = 1_000_000
LEFT_OUT = (
    "radio",
    "path_hops",
    "throughput_downlink_slices_bytes",
    "throughput_uplink_slices_bytes",
)
"""Lists that no rating reads; the archive keeps them."""


def block_lines(frame: pl.DataFrame) -> bytes:
    """Return the blocks of records given in archive columns, one line each."""
    kept = frame.drop(name for name in LEFT_OUT if name in frame.columns)
    return b"\n".join(
        line for start in range(0, kept.height, ROWS) for line in _lines(kept.slice(start, ROWS)) if kept.height
    )


def _lines(frame: pl.DataFrame) -> list[bytes]:
    data = base64.b64encode(parcels.close(frame))
    if len(data) > MOST_BYTES and frame.height > 1:
        half = frame.height // 2
        return _lines(frame.slice(0, half)) + _lines(frame.slice(half))
    first = int(frame.head(1).select(point_time_ns()).item())
    # The same records make the same point, others another: six digits tell blocks of one millisecond apart.
    mark = zlib.crc32("".join(frame["record_id"]).encode()) % APART_NS
    at = first // APART_NS * APART_NS + mark
    return [b'%s data="%s",row_count=%di %d' % (BLOCK.encode(), data, frame.height, at)]
