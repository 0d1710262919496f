"""When each probe was last heard, and what it said of its backlog; written to the catalogue now and then."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from archive.store import Archive
from collector.settled import Note


class _Heard(NamedTuple):
    at: str
    started_at: str | None
    agent: str | None
    records: int
    backlog: int | None


class Presence:
    """Gathers what probes say between flushes, so that a request costs no write of its own."""

    def __init__(self, archive: Archive) -> None:
        """Write to `archive`, whose tables must have been prepared."""
        self._archive = archive
        self._heard: dict[str, _Heard] = {}
        self._lock = threading.Lock()

    def heard(self, probe_id: str, at: datetime, backlog: int | None = None) -> None:
        """Note a contact that brought no record."""
        with self._lock:
            before = self._heard.get(probe_id, _Heard("", None, None, 0, None))
            self._heard[probe_id] = before._replace(
                at=at.isoformat(timespec="seconds"), backlog=before.backlog if backlog is None else backlog
            )

    def brought(self, notes: Iterable[Note], at: datetime, backlog: int | None = None) -> None:
        """Note new records, whoever sent them."""
        newest: dict[str, Note] = {}
        counts: dict[str, int] = {}
        for note in notes:
            probe = note.probe_id
            counts[probe] = counts.get(probe, 0) + 1
            if probe not in newest or newest[probe].started_s < note.started_s:
                newest[probe] = note
        stamp = at.isoformat(timespec="seconds")
        with self._lock:
            for probe, note in newest.items():
                before = self._heard.get(probe, _Heard("", None, None, 0, None))
                started = datetime.fromtimestamp(note.started_s, UTC).isoformat(timespec="seconds")
                self._heard[probe] = _Heard(
                    stamp,
                    max(started, before.started_at or started),
                    note.agent,
                    before.records + counts[probe],
                    before.backlog if backlog is None else backlog,
                )

    def flush(self) -> None:
        """Write what was heard since the last flush."""
        with self._lock:
            heard, self._heard = self._heard, {}
        if not heard:
            return
        rows = [(probe, h.at, h.started_at, h.agent, h.records, h.backlog) for probe, h in heard.items()]
        with self._archive.transaction() as connection:
            connection.executemany(
                "INSERT INTO probes (probe_id, last_seen_at, last_started_at, agent, records_count, backlog_count)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (probe_id) DO UPDATE SET last_seen_at = excluded.last_seen_at,"
                " last_started_at = coalesce(max(excluded.last_started_at, last_started_at),"
                " excluded.last_started_at, last_started_at),"
                " agent = coalesce(excluded.agent, agent), records_count = records_count + excluded.records_count,"
                " backlog_count = coalesce(excluded.backlog_count, backlog_count)",
                rows,
            )
