"""Sinks: other stores that follow the archive at their own pace. One file a kind in `collector.sinks`.

A sink is fed from the archive, never from a request: what is acknowledged is in the archive, and each sink has a
cursor in the same catalogue file. A sink that is down or slow holds back nobody: its cursor stays, and it is tried
again with backoff. Records may be written twice (after a crash between writing and moving the cursor), so a sink must
make twice the same as once: by key, by timestamp and tags, or by a transaction of its own that names the segment.
"""

from __future__ import annotations

import importlib
import logging
import random
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from archive.following import Chunk, after
from archive.store import Archive
from measurement.errors import ConfigError, DeliveryError

__all__ = ["Chunk", "Factory", "Feeder", "Sink", "advance", "cursor_of", "register"]

BACKOFF_S = (1.0, 60.0)
IDLE_S = 0.5
_LOG = logging.getLogger("collector.sink")


class Sink(Protocol):
    """What a kind of sink must do. `write` returns once the records are kept there, and blocks as long as it needs."""

    is_sealed_only: bool
    """True where whole segments are wanted, not hot rows."""

    def prepare(self) -> None:
        """Make sure that what is written to exists. Raises DeliveryError where it cannot be reached."""

    def write(self, chunk: Chunk) -> None:
        """Write records; raises DeliveryError, with `retry_after_s` where the other side said so."""

    def close(self) -> None:
        """Let go."""


Factory = Callable[[Mapping[str, Any], Path], Sink]
"""Makes a sink from its table `[sinks.NAME]` and the archive's folder; raises ConfigError naming the key."""

KINDS = {"influx": "collector.sinks.influx", "delta": "collector.sinks.delta"}
"""Each kind's module, whose `make` is its Factory; loaded only where it is configured."""


def make(name: str, settings: Mapping[str, Any], folder: Path) -> Sink:
    """Make a sink from its table; `kind` may be left out where it is the name.

    Raises
    ------
    ConfigError
        Naming the key that is wrong.
    """
    kind = settings.get("kind", name)
    if kind not in KINDS:
        raise ConfigError(f"$.sinks.{name}.kind: Invalid kind {kind!r}. One of {', '.join(KINDS)}.")
    factory: Factory = importlib.import_module(KINDS[kind]).make
    try:
        return factory({key: value for key, value in settings.items() if key != "kind"}, folder)
    except ConfigError as error:
        raise ConfigError(f"$.sinks.{name}: {error}") from None


def register(archive: Archive, name: str, start: int = 0) -> None:
    """Give a sink a cursor; a new one begins at `start`, 0 for everything the archive holds."""
    with archive.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO sink_cursors (name, sequence) VALUES (?, ?)", (name, start))


def cursor_of(archive: Archive, name: str) -> int:
    """Return the sequence up to which a sink has taken its records.

    Raises
    ------
    ConfigError
        Where there is no such sink.
    """
    row = archive.connection.execute("SELECT sequence FROM sink_cursors WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ConfigError(f"Invalid sink {name!r}. The archive feeds none of this name.")
    return int(row[0])


def advance(archive: Archive, name: str, seen: int, sequence: int, count: int) -> bool:
    """Move a cursor from `seen` to `sequence`; False where it was moved meanwhile (a replay), which then stands."""
    with archive.transaction() as connection:
        cursor = connection.execute(
            "UPDATE sink_cursors SET sequence = ?, delivered_count = delivered_count + ?, last_error = NULL,"
            " updated_at = ? WHERE name = ? AND sequence = ?",
            (sequence, count, datetime.now(UTC).isoformat(timespec="seconds"), name, seen),
        )
        return cursor.rowcount == 1


def _failed(archive: Archive, name: str, error: str) -> None:
    with archive.transaction() as connection:
        connection.execute(
            "UPDATE sink_cursors SET failed_count = failed_count + 1, last_error = ?, updated_at = ? WHERE name = ?",
            (error[:500], datetime.now(UTC).isoformat(timespec="seconds"), name),
        )


class Feeder:
    """Feeds one sink until told to stop. Give it an archive of its own: it waits for the sink within a read."""

    def __init__(self, archive: Archive, name: str, sink: Sink, stop: threading.Event, noise: random.Random) -> None:
        """Feed `sink`, which must have been registered under `name`."""
        self._archive = archive
        self._name = name
        self._sink = sink
        self._stop = stop
        self._noise = noise
        self._is_ready = False
        self._failures = 0

    def run(self) -> None:
        """Feed until stopped; rests when there is nothing, backs off when the sink fails."""
        while not self._stop.is_set():
            self._stop.wait(self.step())
        self._sink.close()

    def step(self) -> float:
        """Deliver the next segment or hot blocks; return how long to rest."""
        try:
            delivered = self._deliver()
        except DeliveryError as error:
            self._failures += 1
            _failed(self._archive, self._name, str(error))
            _LOG.warning("sink %s: %s", self._name, error)
            return error.retry_after_s or self._pause()
        self._failures = 0
        return 0.0 if delivered else IDLE_S

    def _deliver(self) -> bool:
        if not self._is_ready:
            self._sink.prepare()
            self._is_ready = True
        seen, count = cursor_of(self._archive, self._name), 0
        for chunk in after(self._archive, seen, is_sealed_only=self._sink.is_sealed_only):
            self._sink.write(chunk)
            count += chunk.frame.height
            if chunk.cursor is not None:
                advance(self._archive, self._name, seen, chunk.cursor, count)
        return count > 0

    def _pause(self) -> float:
        low, high = BACKOFF_S
        return self._noise.uniform(0.5, 1.0) * min(high, low * 2.0 ** min(self._failures - 1, 10))
