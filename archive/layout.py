"""The layout of an archive directory: file names and the catalogue's tables. The catalogue is the truth, never a glob.

ARCHIVE/
├── catalogue.sqlite        hot rows, segments, layers, registry, and whatever the collector keeps beside them
├── segments/2026-07-01/…   immutable zstd Parquet, one civil day (of the deployment's time zone) each
└── results/NAME.parquet    tables the analysis wrote, each replaced as a whole
"""

from __future__ import annotations

CATALOGUE = "catalogue.sqlite"
SEGMENTS = "segments"
RESULTS = "results"
LAYOUT_VERSION = 1
DEFAULT_TIME_ZONE = "Asia/Ho_Chi_Minh"

TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hot (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id BLOB NOT NULL UNIQUE,          -- 16 bytes of the UUIDv7
    day TEXT NOT NULL,                       -- civil day on which the test started, YYYY-MM-DD
    body BLOB NOT NULL                       -- JSON of the placed record
);
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    day TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,               -- relative to the archive
    row_count INTEGER NOT NULL,
    byte_count INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    created_at TEXT NOT NULL,
    replaced_at TEXT                         -- set when merged into another; the file goes after a grace time
);
CREATE INDEX IF NOT EXISTS segments_by_day ON segments (day);
CREATE TABLE IF NOT EXISTS layers (key TEXT PRIMARY KEY, position INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS base_stations (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""
