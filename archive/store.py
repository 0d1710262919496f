"""An archive directory: its catalogue, its segments, and reading them in one snapshot."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from archive import layout
from archive.frames import conform, frame_from_bodies, schema
from measurement.errors import ConfigError
from measurement.geography import BaseStation, Layer


class Segment(NamedTuple):
    """One Parquet file of one civil day. `path` is absolute."""

    day: str
    path: Path
    row_count: int
    sha256: str


class Snapshot(NamedTuple):
    """What the archive held at one instant: every acknowledged record exactly once."""

    segments: list[Segment]
    hot: dict[str, list[bytes]]  # day -> JSON bodies not yet in a segment
    layers: list[str]

    @property
    def days(self) -> list[str]:
        """Every civil day that holds records, ascending."""
        return sorted({segment.day for segment in self.segments} | set(self.hot))

    def frame(self, day: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the records of one day with the named columns (all where None)."""
        wanted = schema(self.layers)
        names = list(wanted if columns is None else columns)
        parts = [pl.DataFrame(schema={name: wanted[name] for name in names})]
        for segment in self.segments:
            if segment.day == day:
                # A segment older than a field or a layer lacks its column: absent is null.
                lazy = pl.scan_parquet(segment.path, glob=False)
                held = lazy.collect_schema().names()
                parts.append(
                    lazy.select(
                        pl.col(n) if n in held else pl.lit(None, dtype=wanted[n]).alias(n) for n in names
                    ).collect()
                )
        if day in self.hot:
            parts.append(frame_from_bodies(self.hot[day], self.layers).select(names))
        return pl.concat(parts)


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
        self.connection = sqlite3.connect(catalogue, timeout=30, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        if create:
            self.connection.executescript(layout.TABLES)
            self._default("layout_version", str(layout.LAYOUT_VERSION))
            self._default("time_zone", layout.DEFAULT_TIME_ZONE)
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

    def _default(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, value))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run one write transaction; it is rolled back on any error."""
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

    def write_segment(self, frame: pl.DataFrame, day: str) -> Path:
        """Write a segment file and make it durable, without entering it in the catalogue."""
        folder = self.path / layout.SEGMENTS / day
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(6)}.parquet"
        frame.sort("record_id").write_parquet(path, compression="zstd", row_group_size=131_072)
        for target in (path, folder, folder.parent):
            handle = os.open(target, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        return path

    def enter_segment(self, connection: sqlite3.Connection, path: Path, day: str, row_count: int) -> None:
        """Enter a written segment in the catalogue, within the caller's transaction."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        connection.execute(
            "INSERT INTO segments (day, path, row_count, byte_count, sha256, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            (
                day,
                str(path.relative_to(self.path)),
                row_count,
                path.stat().st_size,
                digest,
                datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        )

    def append_frame(self, frame: pl.DataFrame) -> int:
        """Append placed records as segments, one for each civil day of `started_at`; return the count.

        The caller answers for `record_id` being new: bulk writers (simulation, import) make their own ids.
        """
        conformed = conform(frame, self.layer_keys())
        zone = self.setting("time_zone") or layout.DEFAULT_TIME_ZONE
        day = pl.col("started_at").dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d").alias("day")
        for (key,), part in conformed.with_columns(day).partition_by("day", as_dict=True, include_key=False).items():
            path = self.write_segment(part, str(key))
            with self.transaction() as connection:
                self.enter_segment(connection, path, str(key), part.height)
        return conformed.height

    def snapshot(self) -> Snapshot:
        """Read the segment list and the hot rows in one read transaction."""
        self.connection.execute("BEGIN")
        try:
            rows = self.connection.execute(
                "SELECT day, path, row_count, sha256 FROM segments WHERE replaced_at IS NULL ORDER BY day, id"
            ).fetchall()
            hot: dict[str, list[bytes]] = {}
            for day, body in self.connection.execute("SELECT day, body FROM hot ORDER BY sequence"):
                hot.setdefault(day, []).append(body)
            keys = self.layer_keys()
        finally:
            self.connection.execute("COMMIT")
        segments = [Segment(day, self.path / path, count, digest) for day, path, count, digest in rows]
        return Snapshot(segments, hot, keys)

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
