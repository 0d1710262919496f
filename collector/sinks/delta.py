"""The Delta sink: several collectors commit their segments to one Delta Lake table, which is what scales out.

One commit a segment, in an application transaction of this collector whose version is the segment's last sequence: a
retry after a crash finds its version taken and commits nothing. Merged segments are never followed again, because a
sink reads in the order of arrival. The table is partitioned by civil day, as the archive is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from archive.following import Chunk
from measurement.errors import ConfigError, DeliveryError

MOST_COMMIT_RETRIES = 200
"""Writers race for the next version; with eight of them the library's 15 tries were seen to fail."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table `[sinks.delta]`. `options` are object_store's; secrets may come from the environment instead."""

    table: str
    collector: str
    options: dict[str, str] = {}


def make(settings: Mapping[str, Any], folder: Path) -> DeltaSink:
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
    if not known.collector.strip():
        raise ConfigError("$.collector: Invalid collector ''. A name that no other collector of the table has.")
    return DeltaSink(known)


class DeltaSink:
    """One Delta table, written by this collector under its own name."""

    is_sealed_only = True

    def __init__(self, settings: Settings) -> None:
        """Write as `settings` say."""
        self._settings = settings
        self._is_local = "://" not in settings.table
        self._parts: list[pl.DataFrame] = []
        self._segment: Path | None = None

    def prepare(self) -> None:
        """Make the folder of a local table; other stores make theirs with the first commit."""
        if self._is_local:
            Path(self._settings.table).mkdir(parents=True, exist_ok=True)

    def write(self, chunk: Chunk) -> None:
        """Gather a segment, commit it with its last chunk."""
        if chunk.segment != self._segment:
            self._parts, self._segment = [], chunk.segment
        self._parts.append(chunk.frame)
        if chunk.cursor is None or chunk.segment is None:
            return
        try:
            if self._version() < chunk.cursor:
                self._commit(pl.concat(self._parts), chunk.segment.parent.name, chunk.cursor)
        except (DeltaError, OSError) as error:
            raise DeliveryError(f"Delta table {self._settings.table!r}: {str(error)[:300]}") from None
        finally:
            self._parts, self._segment = [], None

    def close(self) -> None:
        """Nothing is held open."""

    def _version(self) -> int:
        """Return the last sequence this collector has committed, -1 before its first."""
        table = self._settings.table
        if not DeltaTable.is_deltatable(table, storage_options=self._settings.options):
            return -1
        version = DeltaTable(table, storage_options=self._settings.options).transaction_version(
            self._settings.collector
        )
        return -1 if version is None else int(version)

    def _commit(self, frame: pl.DataFrame, day: str, sequence: int) -> None:
        write_deltalake(
            self._settings.table,
            frame.with_columns(pl.lit(day).alias("day")),
            mode="append",
            partition_by=["day"],
            schema_mode="merge",
            storage_options=self._settings.options,
            commit_properties=CommitProperties(
                app_transactions=[Transaction(self._settings.collector, sequence)],
                max_commit_retries=MOST_COMMIT_RETRIES,
            ),
        )
        if self._is_local:
            # The library does not fsync on a local disk; the cursor must not move before the files are there.
            os.sync()
