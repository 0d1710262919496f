"""The second process: seals the journal, merges small segments, forgets old ids, sweeps what is no longer needed."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from archive.known import forget, settle
from archive.sealing import clear, hot_rows, merge, seal, sweep
from archive.store import Archive
from measurement.errors import HaidangError

SEAL_ROWS = 100_000
"""A journal of this size is sealed at once: some 180 MB, a segment of about 15 MB."""
SETTLE_EVERY_S = 60.0
"""A row of fresh ids for each commit must not pile up where nothing is sealed."""
_LOG = logging.getLogger("collector.keeper")


class Keeper:
    """Decides what is due. Time is an argument."""

    def __init__(self, archive: Archive, seal_every_s: float, retention_days: int) -> None:
        """Keep `archive`."""
        self._archive = archive
        self._seal_every_s = seal_every_s
        self._retention_days = retention_days
        self._sealed_at = 0.0
        self._swept_at = 0.0
        self._settled_at = 0.0

    def step(self, monotonic: float, now: datetime) -> bool:
        """Do what is due; return whether there was work, so that the caller knows when to rest."""
        if monotonic - self._swept_at > 60:
            self._swept_at = monotonic
            self._tidy(now)
        worked = self._seal(monotonic)
        if worked or monotonic - self._settled_at > SETTLE_EVERY_S:
            self._settled_at = monotonic
            worked = settle(self._archive) > 0 or worked
        worked = clear(self._archive) > 0 or worked
        # Merging waits for a quiet moment: it makes reading faster, sealing keeps the journal short.
        return worked or merge(self._archive, self._delivered()) > 0

    def _tidy(self, now: datetime) -> None:
        sweep(self._archive, now)
        forget(self._archive, int((now.timestamp() - self._retention_days * 86_400) * 1000))
        # PASSIVE never makes the journal wait, as TRUNCATE would while a snapshot is open.
        self._archive.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _seal(self, monotonic: float) -> bool:
        rows = hot_rows(self._archive)
        is_due = rows >= SEAL_ROWS or (rows > 0 and monotonic - self._sealed_at >= self._seal_every_s)
        if not is_due:
            return False
        self._sealed_at = monotonic
        return seal(self._archive, until=self._boundary(rows)) > 0

    def _boundary(self, rows: int) -> int:
        """Return where a segment must end so that no sink which reads hot rows is given half a segment again."""
        if rows > 4 * SEAL_ROWS:
            return 2**62
        (least,) = self._archive.connection.execute(
            "SELECT min(sequence) FROM sink_cursors WHERE sequence >"
            " (SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'sealed_through')"
        ).fetchone()
        return 2**62 if least is None else int(least)

    def _delivered(self) -> int:
        """Return the sequence up to which every sink has taken its records."""
        (least,) = self._archive.connection.execute("SELECT min(sequence) FROM sink_cursors").fetchone()
        return 2**62 if least is None else int(least)


def run(
    folder: Path, seal_every_s: float, retention_days: int, parent: int, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Keep the archive in `folder` while `parent` is our parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # those who wait for an answer come first
    archive = Archive(folder)
    keeper = Keeper(archive, seal_every_s, retention_days)
    while os.getppid() == parent:
        try:
            if not keeper.step(time.monotonic(), datetime.now(UTC)):
                sleep(0.25)
        except (sqlite3.Error, OSError, HaidangError) as error:
            _LOG.error("keeping failed, trying again: %s", error)
            sleep(5)
