"""What a full spool drops, in which order, and how each drop is counted."""

from __future__ import annotations

import logging
import sqlite3

# What goes first when the spool is full: condition, order, and the counter that tells of it.
DROP_POLICY = (
    ("refused_reason IS NOT NULL", "ASC", "dropped_refused"),
    ("refused_reason IS NULL AND status = 'failed'", "ASC", "dropped_failed"),
    ("refused_reason IS NULL AND status = 'partial'", "ASC", "dropped_partial"),
    ("refused_reason IS NULL AND status = 'complete'", "DESC", "dropped_complete"),
)

_log = logging.getLogger("haidang.spool")


def make_room(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Drop by the policy until the bodies hold at most `max_bytes`; called inside a transaction."""
    excess = int(connection.execute("SELECT COALESCE(SUM(byte_count), 0) FROM records").fetchone()[0]) - max_bytes
    for condition, order, counter in DROP_POLICY:
        if excess <= 0:
            return
        doomed: list[int] = []
        rows = f"SELECT position, byte_count FROM records WHERE {condition} ORDER BY position {order}"
        for position, byte_count in connection.execute(rows):
            if excess <= 0:
                break
            doomed.append(position)
            excess -= byte_count
        connection.executemany("DELETE FROM records WHERE position = ?", ((position,) for position in doomed))
        count(connection, counter, len(doomed))
        if doomed:
            _log.warning("spool full (%d bytes): %d records dropped (%s)", max_bytes, len(doomed), counter)


def count(connection: sqlite3.Connection, name: str, number: int) -> None:
    """Add to a counter that lives as long as the spool."""
    if number:
        sql = "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
        connection.execute(sql, (name, number))
