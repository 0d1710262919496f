"""The file of one drive: a point each second, notes, what was measured. SQLite, so that a power cut costs a second."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from measurement.errors import ConfigError

SUFFIX = ".drive"
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS points (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL,
    longitude_deg REAL, latitude_deg REAL, accuracy_m REAL, altitude_m REAL, speed_mps REAL,
    operator TEXT, technology TEXT, leg TEXT, cell_id INTEGER, pci INTEGER, arfcn INTEGER, band INTEGER,
    rsrp_dbm REAL, rsrq_db REAL, sinr_db REAL
);
CREATE TABLE IF NOT EXISTS results (
    record_id TEXT PRIMARY KEY, at TEXT NOT NULL, point INTEGER, kind TEXT NOT NULL, status TEXT NOT NULL,
    rtt_median_ms REAL, loss_ratio REAL, downlink_bps REAL, uplink_bps REAL, failure TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (at TEXT NOT NULL, longitude_deg REAL, latitude_deg REAL, text TEXT NOT NULL);
"""


class Point(NamedTuple):
    """One second: where, and how strong. The columns of the file and of its exports."""

    at: datetime
    longitude_deg: float | None = None
    latitude_deg: float | None = None
    accuracy_m: float | None = None
    altitude_m: float | None = None
    speed_mps: float | None = None
    operator: str | None = None
    technology: str | None = None
    leg: str | None = None
    cell_id: int | None = None
    pci: int | None = None
    arfcn: int | None = None
    band: int | None = None
    rsrp_dbm: float | None = None
    rsrq_db: float | None = None
    sinr_db: float | None = None


class Result(NamedTuple):
    """What one record of the drive gave."""

    record_id: str
    at: datetime
    point: int | None
    kind: str  # "latency" or "throughput"
    status: str
    rtt_median_ms: float | None = None
    loss_ratio: float | None = None
    downlink_bps: float | None = None
    uplink_bps: float | None = None
    failure: str | None = None


class Note(NamedTuple):
    """What somebody saw on the way."""

    at: datetime
    longitude_deg: float | None
    latitude_deg: float | None
    text: str


class Logbook:
    """One drive's file. Threads may share it."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open a drive.

        Raises
        ------
        ConfigError
            Where there is none, or the file is none of a drive.
        """
        self.path = path
        if not create and not path.is_file():
            raise ConfigError(f"Invalid drive {str(path)!r}. No such file.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            if create:
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")  # a second may be lost, the file never
                self._connection.executescript(_TABLES)
            self._connection.execute("SELECT 1 FROM points LIMIT 1")
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"Invalid drive {str(path)!r}. {error}.") from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Logbook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fact(self, name: str) -> str | None:
        """Return a fact of the drive, None where it was never set."""
        row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Keep a fact of the drive."""
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def add_point(self, point: Point) -> int:
        """Keep a second; return its number."""
        marks = ",".join("?" * len(point))
        columns = ",".join(Point._fields)
        row = (point.at.isoformat(timespec="milliseconds"), *point[1:])
        return int(self._connection.execute(f"INSERT INTO points ({columns}) VALUES ({marks})", row).lastrowid or 0)

    def add_result(self, result: Result) -> None:
        """Keep what a record gave."""
        row = (result.record_id, result.at.isoformat(timespec="milliseconds"), *result[2:])
        self._connection.execute(f"INSERT OR REPLACE INTO results VALUES ({','.join('?' * len(row))})", row)

    def add_note(self, note: Note) -> None:
        """Keep a note."""
        row = (note.at.isoformat(timespec="milliseconds"), *note[1:])
        self._connection.execute("INSERT INTO notes VALUES (?, ?, ?, ?)", row)

    def points(self) -> Iterator[Point]:
        """Yield every second in order."""
        rows = self._connection.execute(f"SELECT {','.join(Point._fields)} FROM points ORDER BY sequence")
        for at, *rest in rows:
            yield Point(datetime.fromisoformat(at), *rest)

    def results(self) -> Iterator[Result]:
        """Yield every result in the order of time."""
        rows = self._connection.execute(f"SELECT {','.join(Result._fields)} FROM results ORDER BY at, record_id")
        for record_id, at, *rest in rows:
            yield Result(record_id, datetime.fromisoformat(at), *rest)

    def notes(self) -> Iterator[Note]:
        """Yield every note in order."""
        for at, *rest in self._connection.execute("SELECT * FROM notes ORDER BY at"):
            yield Note(datetime.fromisoformat(at), *rest)

    def counts(self) -> dict[str, int]:
        """Return how many points, results and notes are kept."""
        tables = ("points", "results", "notes")
        return {t: int(self._connection.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0]) for t in tables}
