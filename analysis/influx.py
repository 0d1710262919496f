"""Reading records from InfluxDB: the blocks the collector's sink has written, streamed into an archive to judge.

The blocks hold archive columns (`archive.parcels` as base64), so a record is never an object on the way: many blocks
are opened together, and only the columns that are asked for. A block may hold records that another holds too; each
`record_id` is kept once.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import polars as pl
from influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from archive import parcels
from archive.frames import schema
from archive.store import Archive
from measurement.errors import ConfigError, StorageError

FLUX = """
from(bucket: "{bucket}")
  |> range(start: {start}, stop: {stop})
  |> filter(fn: (r) => r._measurement == "block" and r._field == "data")
  |> keep(columns: ["_time", "_value"])
"""
ROWS_A_SEGMENT = 500_000
BLOCKS_AT_ONCE = 64
"""Some 10,000 records."""
TOKEN_VARIABLE = "INFLUXDB_TOKEN"


class Place(NamedTuple):
    """Where the records are. The token comes from a file or the environment."""

    url: str
    org: str = "haidang"
    bucket: str = "haidang"
    token_file: Path | None = None

    def token(self) -> str:
        """Return the token.

        Raises
        ------
        ConfigError
            Where there is none.
        """
        if self.token_file is not None:
            try:
                return self.token_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"Invalid token file {str(self.token_file)!r}. {error}.") from None
        token = os.environ.get(TOKEN_VARIABLE, "")
        if not token:
            raise ConfigError(f"No token for InfluxDB. Give --influx-token-file or set {TOKEN_VARIABLE}.")
        return token


def blocks(
    place: Place, start: str = "-20y", stop: str = "1y", names: Sequence[str] | None = None
) -> Iterator[pl.DataFrame]:
    """Yield records in archive columns (the named ones, else all that hold anything); a record may come twice.

    Raises
    ------
    StorageError
        Where InfluxDB is not reached or refuses.
    """
    with InfluxDBClient(place.url, place.token(), org=place.org, timeout=600_000) as client:
        try:
            answer = client.query_api().query_raw(FLUX.format(bucket=place.bucket, start=start, stop=stop))
            # Else the end of the stream closes it under the reader that still has lines of it.
            answer.auto_close = False
            values = _values(io.BufferedReader(answer, 1 << 20))
            while some := [base64.b64decode(value) for value in islice(values, BLOCKS_AT_ONCE)]:
                yield parcels.open_all(some, names)
        except ApiException as error:
            raise StorageError(f"InfluxDB answers {error.status}: {str(error.reason)[:200]}") from None
        except (HTTPError, OSError) as error:
            raise StorageError(f"InfluxDB at {place.url} is not reached: {type(error).__name__}") from None
        except ValueError as error:
            raise StorageError(
                f"InfluxDB holds a block that cannot be read ({error}). haidang-collector sinks replay writes it anew."
            ) from None


def _values(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the `_value` column of Flux's CSV; base64 holds neither comma nor quote."""
    position = None
    for line in lines:
        cells = line.rstrip(b"\r\n").split(b",")
        if line.startswith(b"#") or len(cells) < 2:
            continue
        if b"_value" in cells:
            position = cells.index(b"_value")
        elif position is not None:
            yield cells[position]


@contextmanager
def records_of(source: str, place: Place, archive: Archive, progress: Callable[[int], None]) -> Iterator[Archive]:
    """Give the archive to judge: the one there is, or a passing copy of what InfluxDB holds."""
    if source == "archive":
        yield archive
        return
    with TemporaryDirectory(prefix="haidang-influx-") as folder, pull(place, archive, Path(folder), progress) as copy:
        yield copy


def pull(place: Place, source: Archive, folder: Path, progress: Callable[[int], None] = lambda _: None) -> Archive:
    """Copy the records of InfluxDB into a fresh archive in `folder`, with the areas and stations of `source`.

    Returns
    -------
    Archive
        Ready to be judged as any other; each record once.
    """
    fresh = Archive(folder, create=True)
    fresh.set_layers(source.layers())
    fresh.set_base_stations(source.base_stations())
    wanted = schema(source.layer_keys())
    seen = pl.DataFrame(schema={"record_id": pl.String})
    waiting: list[pl.DataFrame] = []
    rows = 0
    for block in blocks(place):
        waiting.append(block.select(name for name in block.columns if name in wanted))
        rows += block.height
        if rows >= ROWS_A_SEGMENT:
            seen = _keep(fresh, waiting, seen)
            waiting, rows = [], 0
            progress(seen.height)
    seen = _keep(fresh, waiting, seen)
    progress(seen.height)
    return fresh


def _keep(fresh: Archive, waiting: list[pl.DataFrame], seen: pl.DataFrame) -> pl.DataFrame:
    """Append what is new; return the ids known by then."""
    if not waiting:
        return seen
    frame = pl.concat(waiting, how="diagonal_relaxed").unique("record_id", keep="first", maintain_order=True)
    new = frame.join(seen, on="record_id", how="anti")
    if new.height:
        fresh.append_frame(new)
    return pl.concat([seen, new.select("record_id")])
