"""The layout of an archive directory: file names and the catalogue's tables. The catalogue is the truth, never a glob.

ARCHIVE/
├── catalogue.sqlite        journal, segments, layers, registry, and whatever the collector keeps beside them
├── segments/2026-07-01/…   immutable zstd Parquet, one civil day (of the deployment's time zone) each
└── results/NAME.parquet    tables the analysis wrote, each replaced as a whole

Every record has a `sequence`, rising in the order of arrival. A hot block is in the archive while its `sequence` is
above the setting `sealed_through`; raising that number and entering the segments is one transaction.
"""

from __future__ import annotations

CATALOGUE = "catalogue.sqlite"
SEGMENTS = "segments"
RESULTS = "results"
LAYOUT_VERSION = 1
DEFAULT_TIME_ZONE = "Asia/Ho_Chi_Minh"
LOG_BYTES = 256 << 20  # to which the write-ahead log is cut after a burst
PAGE_SIZE = 16_384  # a block of a batch spans a fourth of the pages it would at SQLite's 4,096

TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hot (
    sequence INTEGER PRIMARY KEY,            -- of the block's last record
    first_sequence INTEGER NOT NULL,         -- of its first; numbers between may be missing
    day TEXT NOT NULL,                       -- civil day on which the tests started, YYYY-MM-DD
    row_count INTEGER NOT NULL,
    body BLOB NOT NULL                       -- the placed records as columns (archive.blocks)
);
CREATE INDEX IF NOT EXISTS hot_by_day ON hot (day, sequence, row_count);
CREATE INDEX IF NOT EXISTS hot_by_sequence ON hot (sequence, row_count);  -- counts without touching the bodies
CREATE TABLE IF NOT EXISTS ids (
    record_id BLOB PRIMARY KEY,              -- 16 bytes of the UUIDv7
    sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fresh_ids (
    sequence INTEGER PRIMARY KEY,            -- of the last record of the commit that brought them
    ids BLOB NOT NULL                        -- 16 bytes each, on their way to `ids` (archive.known)
);
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    day TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,               -- relative to the archive
    row_count INTEGER NOT NULL,
    byte_count INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    created_at TEXT NOT NULL,
    replaced_at TEXT,                        -- set when merged into another; the file goes after a grace time
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    first_id BLOB,
    last_id BLOB
);
CREATE INDEX IF NOT EXISTS segments_by_day ON segments (day);
CREATE INDEX IF NOT EXISTS segments_by_sequence ON segments (last_sequence);
CREATE TABLE IF NOT EXISTS layers (key TEXT PRIMARY KEY, position INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS base_stations (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""
