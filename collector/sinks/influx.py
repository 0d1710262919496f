"""The InfluxDB sink: bucket, downsampling, and joined line protocol written synchronously.

The client's batching mode loses data silently, so it is not used: a write returns when InfluxDB has the points, and the
cursor of the sink moves only then. Tried with InfluxDB 2.7. 1.8 and 3 Core answer the same write API, without buckets
to prepare (`prepare = false`); 1.7 and older have no such door (docs/influxdb.md).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import polars as pl
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from archive import layout
from archive.following import Chunk
from collector.sinks.blocks import block_lines
from collector.sinks.downsampling import FLUX, TASK_EVERY, down_bucket
from collector.sinks.lines import rating_lines, test_lines
from collector.sinks.pace import Pace
from measurement.errors import ConfigError, DeliveryError

_LOG = logging.getLogger("collector.sink")
LINES_A_WRITE = 2_000
"""Ratings at once; of records `Pace` finds out how many."""
TOO_SLOW = frozenset({408, 413, 500, 502, 503, 504})
"""What a server answers that gave up, or a proxy before it: a smaller write may go through."""


OLD = "; InfluxDB before 1.8 has no v2 write API"


class TooSlowError(DeliveryError):
    """The write took longer than the server or we would wait."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table `[sinks.influx]`. The token comes from `token_file` or the environment, never from the table."""

    url: str
    org: str = "haidang"
    bucket: str = "haidang"
    token_file: str | None = None
    timeout_s: float = 30.0
    retention_days: int = 30
    down_retention_days: int = 1500
    prepare: bool = True


TOKEN_VARIABLE = "INFLUXDB_TOKEN"


def make(settings: Mapping[str, Any], folder: Path) -> InfluxSink:
    """Make the sink.

    Raises
    ------
    ConfigError
        Naming the key that is wrong.
    """
    try:
        known = msgspec.convert(dict(settings), Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from None
    if urlsplit(known.url).scheme not in ("http", "https") or not urlsplit(known.url).hostname:
        raise ConfigError(f"$.url: Invalid url {known.url!r}. http://HOST:PORT or https://….")
    return InfluxSink(known, read_token(known.token_file), folder / layout.RESULTS)


def read_token(token_file: str | None) -> str:
    """Return the token from a file, else from the environment.

    Raises
    ------
    ConfigError
        Where there is none. The token itself is never part of a message.
    """
    if token_file is not None:
        try:
            return Path(token_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"$.token_file: Invalid token_file {token_file!r}. {error}.") from None
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        raise ConfigError(f"$.token_file: No token. Set token_file or the environment's {TOKEN_VARIABLE}.")
    return token


class InfluxSink:
    """One bucket of one InfluxDB, its downsampled twin, and the ratings."""

    is_sealed_only = False

    def __init__(self, settings: Settings, token: str, results: Path) -> None:
        """Write as `settings` say; `results` is where the analysis leaves its tables."""
        self._settings = settings
        self._client = InfluxDBClient(
            settings.url, token, org=settings.org, timeout=int(settings.timeout_s * 1000), enable_gzip=True
        )
        self._writing = self._client.write_api(write_options=SYNCHRONOUS)
        self._ratings = results / "area_ratings.parquet"
        self._rated_at = 0
        self._pace = Pace()

    def prepare(self) -> None:
        """Make the buckets and the downsampling task where they are missing."""
        if self._settings.prepare:
            self._called(self._prepare)

    def write(self, chunk: Chunk) -> None:
        """Write the records of a chunk, then the ratings where the analysis has renewed them."""
        start = 0
        while start < chunk.frame.height:
            part = chunk.frame.slice(start, self._pace.size)
            begin = time.monotonic()
            try:
                self._put(test_lines(part))
                self._put(block_lines(part))
            except TooSlowError as error:
                _LOG.warning("%s; %d records at once", error, part.height)
                if error.retry_after_s is None and self._pace.failed():
                    continue
                raise
            self._pace.took(time.monotonic() - begin)
            start += part.height
        self._put_ratings()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _put(self, lines: bytes) -> None:
        if lines:
            bucket = self._settings.bucket
            self._called(lambda: self._writing.write(bucket=bucket, org=self._settings.org, record=lines))

    def _put_ratings(self) -> None:
        try:
            changed = self._ratings.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed == self._rated_at:
            return
        ratings = pl.read_parquet(self._ratings, glob=False)
        for start in range(0, ratings.height, LINES_A_WRITE):
            self._put(rating_lines(ratings.slice(start, LINES_A_WRITE), changed))
        self._rated_at = changed

    def _prepare(self) -> None:
        fine, coarse = self._settings.bucket, down_bucket(self._settings.bucket)
        buckets = self._client.buckets_api()
        for name, days in ((fine, self._settings.retention_days), (coarse, self._settings.down_retention_days)):
            if buckets.find_bucket_by_name(name) is None:
                rules = [{"type": "expire", "everySeconds": days * 86_400}] if days else []
                buckets.create_bucket(bucket_name=name, retention_rules=rules, org=self._settings.org)
        tasks = self._client.tasks_api()
        title = f"{fine} by the hour"
        if not tasks.find_tasks(name=title):
            organisation = self._client.organizations_api().find_organizations(org=self._settings.org)[0]
            tasks.create_task_every(title, FLUX.format(fine=fine, coarse=coarse), TASK_EVERY, organisation)

    def _called(self, call: Any) -> Any:
        """Call InfluxDB; every failure becomes a DeliveryError that says what and for how long."""
        try:
            return call()
        except ApiException as error:
            kind = TooSlowError if error.status in TOO_SLOW else DeliveryError
            raise kind(f"InfluxDB answers {error.status}: {_reason(error)}", _retry_after(error)) from None
        except (ReadTimeoutError, TimeoutError):
            raise TooSlowError(f"InfluxDB did not answer within {self._settings.timeout_s:g} s") from None
        except (HTTPError, OSError) as error:
            raise DeliveryError(f"InfluxDB at {self._settings.url} is not reached: {type(error).__name__}") from None


def _retry_after(error: ApiException) -> float | None:
    asked = str(error.headers.get("Retry-After", "")) if error.headers else ""
    return float(asked) if asked.isdigit() else None


def _reason(error: ApiException) -> str:
    try:
        return str(msgspec.json.decode(error.body or b"")["message"])[:300]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return f"{error.reason}{OLD if error.status == 404 else ''}"
