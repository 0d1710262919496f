"""An archive directory: its catalogue, its segments, and reading them in one snapshot."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from archive import layout
from archive.frames import conform
from archive.snapshot import Segment, Snapshot
from measurement.errors import ConfigError
from measurement.geography import BaseStation, Layer

__all__ = ["Archive", "Segment", "Snapshot", "Written"]


class Written(NamedTuple):
    """A segment file that is durable and not yet in the catalogue."""

    path: Path
    day: str
    row_count: int
    byte_count: int
    sha256: str
    first_id: bytes | None
    last_id: bytes | None


def _id_bytes(record_id: str | None) -> bytes | None:
    """Return the 16 bytes of a UUID, None where a bulk writer chose something else."""
    try:
        return None if record_id is None else bytes.fromhex(record_id.replace("-", ""))
    except ValueError:
        return None


class Archive:
    """One archive directory. Safe to open from several processes; each holds its own connection."""

    def __init__(self, path: Path | str, *, create: bool = False) -> None:
        """Open the archive at `path`.

        Raises
        ------
        ConfigError
            Where there is none and `create` is not set, or its layout is of another version.
        """
        self.path = Path(path)
        catalogue = self.path / layout.CATALOGUE
        if not create and not catalogue.is_file():
            raise ConfigError(f"Invalid archive {str(self.path)!r}. No {layout.CATALOGUE} there.")
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / layout.SEGMENTS).mkdir(exist_ok=True)
        (self.path / layout.RESULTS).mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self.connection = sqlite3.connect(catalogue, timeout=30, isolation_level=None, check_same_thread=False)
        self.connection.execute(f"PRAGMA page_size={layout.PAGE_SIZE}")
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute(f"PRAGMA journal_size_limit={layout.LOG_BYTES}")
        if create:
            self.connection.executescript(layout.TABLES)
            self._default("layout_version", str(layout.LAYOUT_VERSION))
            self._default("time_zone", layout.DEFAULT_TIME_ZONE)
            self._default("last_sequence", "0")
            self._default("sealed_through", "0")
            self._default("hot_rows", "0")
        if self.setting("layout_version") != str(layout.LAYOUT_VERSION):
            raise ConfigError(
                f"Invalid archive {str(self.path)!r}. Layout {self.setting('layout_version')}, "
                f"this program knows {layout.LAYOUT_VERSION}."
            )

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def setting(self, name: str) -> str | None:
        """Return a setting, None where it is not set."""
        row = self.connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def settings(self, prefix: str) -> dict[str, str]:
        """Return the settings whose names begin with `prefix`, without it."""
        rows = self.connection.execute("SELECT name, value FROM settings").fetchall()
        return {name.removeprefix(prefix): value for name, value in rows if name.startswith(prefix)}

    def set_setting(self, name: str, value: str) -> None:
        """Set a setting."""
        self.connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def set_time_zone(self, name: str) -> bool:
        """Keep the archive by the civil days of a zone; False where it holds records by those of another."""
        with self.transaction() as connection:
            if self.setting("time_zone") == name:
                return True
            if connection.execute("SELECT 1 FROM segments UNION ALL SELECT 1 FROM hot LIMIT 1").fetchone():
                return False
            self.set_setting("time_zone", name)
            return True

    def _default(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, value))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run one write transaction, one thread at a time; it is rolled back on any error."""
        with self._lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def set_layers(self, layers: Sequence[Layer]) -> None:
        """Replace the layers of areas."""
        rows = [(layer.key, index, msgspec.json.encode(layer)) for index, layer in enumerate(layers)]
        with self.transaction() as connection:
            connection.execute("DELETE FROM layers")
            connection.executemany("INSERT INTO layers VALUES (?, ?, ?)", rows)

    def layers(self) -> list[Layer]:
        """Return the layers of areas in their configured order."""
        rows = self.connection.execute("SELECT body FROM layers ORDER BY position").fetchall()
        return [msgspec.json.decode(body, type=Layer) for (body,) in rows]

    def set_base_stations(self, stations: Sequence[BaseStation]) -> None:
        """Replace the registry of base stations."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM base_stations")
            connection.executemany(
                "INSERT INTO base_stations VALUES (?, ?)", [(s.id, msgspec.json.encode(s)) for s in stations]
            )

    def base_stations(self) -> list[BaseStation]:
        """Return the registry of base stations by id."""
        rows = self.connection.execute("SELECT body FROM base_stations ORDER BY id").fetchall()
        return [msgspec.json.decode(body, type=BaseStation) for (body,) in rows]

    def layer_keys(self) -> list[str]:
        """Return the keys of the layers in their configured order."""
        return [key for (key,) in self.connection.execute("SELECT key FROM layers ORDER BY position")]

    def write_segment(self, frame: pl.DataFrame, day: str) -> Written:
        """Write a segment file and make it durable, without entering it in the catalogue."""
        folder = self.path / layout.SEGMENTS / day
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(6)}.parquet"
        ordered = frame.sort("record_id")
        ordered.write_parquet(path, compression="zstd", compression_level=1, row_group_size=131_072)
        for target in (path, folder, folder.parent):
            handle = os.open(target, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        ends = [_id_bytes(ordered["record_id"][index]) for index in (0, -1)] if ordered.height else [None, None]
        return Written(path, day, ordered.height, path.stat().st_size, digest, ends[0], ends[1])

    def enter_segment(
        self, connection: sqlite3.Connection, written: Written, first_sequence: int, last_sequence: int
    ) -> int:
        """Enter a written segment in the catalogue, within the caller's transaction; return its id."""
        cursor = connection.execute(
            "INSERT INTO segments (day, path, row_count, byte_count, sha256, created_at,"
            " first_sequence, last_sequence, first_id, last_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                written.day,
                str(written.path.relative_to(self.path)),
                written.row_count,
                written.byte_count,
                written.sha256,
                datetime.now(UTC).isoformat(timespec="seconds"),
                first_sequence,
                last_sequence,
                written.first_id,
                written.last_id,
            ),
        )
        return int(cursor.lastrowid or 0)

    def append_frame(self, frame: pl.DataFrame) -> int:
        """Append placed records as segments, one for each civil day of `started_at`; return the count.

        The caller answers for `record_id` being new: bulk writers (simulation, import) make their own ids.
        """
        conformed = conform(frame, self.layer_keys())
        zone = self.setting("time_zone") or layout.DEFAULT_TIME_ZONE
        day = pl.col("started_at").dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d").alias("day")
        parts = conformed.with_columns(day).partition_by("day", as_dict=True, include_key=False)
        written = [self.write_segment(part, str(key)) for (key,), part in parts.items()]
        with self.transaction() as connection:
            for segment in written:
                first = self.take_sequences(connection, segment.row_count)
                self.enter_segment(connection, segment, first, first + segment.row_count - 1)
        return conformed.height

    def take_sequences(self, connection: sqlite3.Connection, count: int) -> int:
        """Reserve `count` sequence numbers within the caller's transaction; return the first."""
        (last,) = connection.execute(
            "UPDATE settings SET value = CAST(value AS INTEGER) + ? WHERE name = 'last_sequence' RETURNING value",
            (count,),
        ).fetchone()
        return int(last) - count + 1

    def change_hot_rows(self, connection: sqlite3.Connection, change: int) -> None:
        """Keep count of the records that are in no segment, within the transaction that changes it."""
        connection.execute("UPDATE settings SET value = CAST(value AS INTEGER) + ? WHERE name = 'hot_rows'", (change,))

    def count_after(self, sequence: int) -> int:
        """Return about how many records came after a sequence: whole segments and blocks are counted."""
        (count,) = self.connection.execute(
            "SELECT (SELECT coalesce(sum(row_count), 0) FROM segments WHERE replaced_at IS NULL AND last_sequence > ?)"
            " + (SELECT coalesce(sum(row_count), 0) FROM hot INDEXED BY hot_by_sequence WHERE sequence > max(?,"
            " (SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'sealed_through')))",
            (sequence, sequence),
        ).fetchone()
        return int(count)

    def snapshot(self) -> Snapshot:
        """Read the segment list and the hot rows in one read transaction."""
        return Snapshot(self.path)

    def write_result(self, name: str, frame: pl.DataFrame) -> Path:
        """Replace a result table as a whole; a reader sees the old one or the new one."""
        path = self.path / layout.RESULTS / f"{name}.parquet"
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        frame.write_parquet(fresh, compression="zstd")
        os.replace(fresh, path)
        return path

    def read_result(self, name: str) -> pl.DataFrame | None:
        """Return a result table, None where the analysis has not written it yet."""
        path = self.path / layout.RESULTS / f"{name}.parquet"
        return pl.read_parquet(path, glob=False) if path.is_file() else None
