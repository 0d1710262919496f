"""Frames as the JSON records a probe would send: into a file, or through a collector's front door."""

from __future__ import annotations

import csv
import gzip
import http.client
import io
import json
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import polars as pl

from measurement.columns import COLUMNS, Column
from measurement.errors import ConfigError, DeliveryError
from measurement.geography import BaseStation
from measurement.radio import LegSummary
from measurement.record import COLLECTOR_FIELDS
from measurement.vocabulary import Leg

BATCH_RECORDS = 500
"""Records in one request: about 700 kB of JSON, far below any collector's limit."""
SLICE_RECORDS = 10_000
"""Records turned into JSON at once; bounds the memory."""
ATTEMPTS = 8


def _radio() -> pl.Expr:
    """Return the list of radio samples, one for each leg that was heard."""
    samples = []
    for leg in Leg:
        fields = [pl.lit(0.0).alias("at_ms"), pl.lit(str(leg)).alias("leg"), pl.lit(True).alias("is_serving")]
        fields += [pl.col(f"radio_{leg}_{name}").alias(name) for name in LegSummary._fields]
        samples.append(pl.when(pl.col(f"radio_{leg}_rsrp_dbm").is_not_null()).then(pl.struct(fields)))
    return pl.concat_list(samples).list.drop_nulls()


def _nested(frame: pl.DataFrame, columns: list[Column], depth: int) -> list[pl.Expr]:
    """Return the expressions of the groups below one level; a group with nothing in it is null."""
    expressions: list[pl.Expr] = []
    names = list(dict.fromkeys(column.path[depth] for column in columns))
    for name in names:
        inner = [column for column in columns if column.path[depth] == name]
        leaf = inner[0]
        if len(leaf.path) == depth + 1:
            expressions.append(_value(leaf).alias(name))
            continue
        absent = pl.all_horizontal(pl.col(column.name).is_null() for column in inner)
        expressions.append(pl.when(~absent).then(pl.struct(_nested(frame, inner, depth + 1))).alias(name))
    return expressions


def _value(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    return value.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") if column.kind == "instant" else value


def nested(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with the record's own groups, without what only a collector may set."""
    columns = [
        column
        for column in COLUMNS
        if column.path and column.path[0] not in COLLECTOR_FIELDS and column.name in frame.columns
    ]
    return frame.select(*_nested(frame, columns, 0), _radio().alias("radio"))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value


def bodies(frame: pl.DataFrame) -> Iterator[bytes]:
    """Yield each record as JSON; absent fields are left out."""
    buffer = io.BytesIO()
    nested(frame).write_ndjson(buffer)
    for line in buffer.getvalue().splitlines():
        yield json.dumps(_without_nulls(json.loads(line)), ensure_ascii=False, separators=(",", ":")).encode()


def _batches(frame: pl.DataFrame) -> Iterator[list[bytes]]:
    for start in range(0, frame.height, SLICE_RECORDS):
        lines = list(bodies(frame.slice(start, SLICE_RECORDS)))
        for first in range(0, len(lines), BATCH_RECORDS):
            yield lines[first : first + BATCH_RECORDS]


def write_registry(stations: Iterable[BaseStation], path: Path) -> None:
    """Write the registry as CSV, one station a row, lists parted by spaces: what a collector reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(BaseStation.__struct_fields__)
        for station in stations:
            writer.writerow(_cell(getattr(station, name)) for name in BaseStation.__struct_fields__)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else value


class NdjsonFile:
    """A file of one record a line."""

    def __init__(self, path: Path) -> None:
        """Open the file; `-` is standard output."""
        self.file: IO[bytes] | gzip.GzipFile
        if str(path) == "-":
            self.file = sys.stdout.buffer
        elif path.suffix == ".gz":
            self.file = gzip.open(path, "wb", compresslevel=5)  # noqa: SIM115 (closed by __exit__)
        else:
            self.file = path.open("wb")

    def __enter__(self) -> NdjsonFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is sys.stdout.buffer:
            self.file.flush()
        else:
            self.file.close()

    def write(self, frame: pl.DataFrame) -> None:
        """Write the records of a frame."""
        for lines in _batches(frame):
            self.file.write(b"\n".join(lines) + b"\n")


class CollectorClient:
    """Sends records to a collector and waits while it asks to."""

    def __init__(self, url: str, token_file: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        """Read the token and parse the URL.

        Raises
        ------
        ConfigError
            Where the URL is no http or https URL, or the token is empty.
        """
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"--collector {url}: Invalid URL. http:// or https:// with a host.")
        self.token = token_file.read_text(encoding="utf-8").strip()
        if not self.token:
            raise ConfigError(f"--token-file {token_file}: Invalid token. The file is empty.")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port, timeout=60)
        self.path = parts.path.rstrip("/") + "/v1/records"
        self.sleep = sleep

    def __enter__(self) -> CollectorClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, frame: pl.DataFrame) -> None:
        """Send the records of a frame in batches; each is acknowledged before the next.

        Raises
        ------
        DeliveryError
            Where the collector refuses a record or cannot be reached.
        """
        for lines in _batches(frame):
            answer = self._post(gzip.compress(b"\n".join(lines) + b"\n", 5))
            if answer.get("rejected"):
                first = answer["rejected"][0]
                raise DeliveryError(f"{len(answer['rejected'])} records refused, the first: {first}")

    def _post(self, body: bytes) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
        }
        reason = "no answer"
        for attempt in range(ATTEMPTS):
            try:
                self.connection.request("POST", self.path, body, headers)
                reply = self.connection.getresponse()
                text = reply.read()
            except (OSError, http.client.HTTPException) as error:
                self.connection.close()
                reason = str(error) or type(error).__name__
                self.sleep(min(0.2 * 2**attempt, 5))
                continue
            if reply.status in (200, 202):
                return dict(json.loads(text))
            reason = f"HTTP {reply.status} {text[:200].decode(errors='replace')}"
            if reply.status not in (429, 503):
                raise DeliveryError(reason)
            self.sleep(float(reply.headers.get("Retry-After") or 1))
        raise DeliveryError(f"The collector took nothing in {ATTEMPTS} attempts: {reason}")
