"""What the collector keeps beside the archive, in the same catalogue file: tokens, codes, tasks, counts of probes."""

from __future__ import annotations

from archive.store import Archive

TABLES = """
CREATE TABLE IF NOT EXISTS tokens (
    key TEXT PRIMARY KEY,                    -- public part of the token
    name TEXT NOT NULL,                      -- a probe's id, or the name of a reader or an admin
    role TEXT NOT NULL,
    digest BLOB NOT NULL,                    -- SHA-256 of the secret part
    created_at TEXT NOT NULL,
    revoked_at TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS codes (
    digest BLOB PRIMARY KEY,                 -- SHA-256 of the one-time code
    name TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS probes (
    probe_id TEXT PRIMARY KEY,
    title TEXT,
    enrolled_at TEXT,
    last_seen_at TEXT,
    last_started_at TEXT,
    agent TEXT,
    records_count INTEGER NOT NULL DEFAULT 0,
    backlog_count INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY,
    probe_id TEXT NOT NULL,                  -- '*' for every probe
    body BLOB NOT NULL,
    created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sink_cursors (
    name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    delivered_count INTEGER NOT NULL DEFAULT 0,
    failed_count INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    updated_at TEXT
) WITHOUT ROWID;
"""


def prepare(archive: Archive) -> None:
    """Create the collector's tables where they are missing."""
    archive.connection.executescript(TABLES)
