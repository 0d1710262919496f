"""What a running collector holds: the live state that routes work on."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from archive import layout
from archive.journal import Incoming, Journal, Receipt
from archive.placing import Placer
from archive.sealing import hot_rows
from archive.store import Archive
from collector import tables
from collector.access import Access
from collector.admission import Admission
from collector.config import Deployment
from collector.limits import Limiter, Rate
from collector.metrics import Metrics
from collector.presence import Presence
from collector.published import Participants
from collector.replies import Problem
from collector.settled import Settled
from collector.ticket import Tickets, secret_of
from collector.uptime import Uptime
from collector.window import Window
from collector.workers import Workers
from measurement.errors import StorageError
from measurement.geography import BaseStation, Layer, to_geojson
from measurement.record import Record

QUICK_BYTES = 64 << 10
"""A body up to this size is read on the event loop; a larger one by a worker, so that others are served meanwhile."""


class Clocks(NamedTuple):
    """Wall clock and monotonic clock; arguments, so that nothing sleeps in tests."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


class Service:
    """One collector."""

    def __init__(
        self,
        folder: Path,
        deployment: Deployment,
        site: Path | None = None,
        workers: int = 0,
        clocks: Clocks | None = None,
    ) -> None:
        """Open the archive in `folder`, whose deployment must have been installed, and start the journal."""
        clocks = clocks or Clocks()
        self.now, self.monotonic = clocks
        self.deployment = deployment
        self.limits = deployment.limits
        self.site = site
        self.certificate: Path | None = None  # what is served under https, set by whoever serves
        self.archive = Archive(folder, create=True)
        tables.prepare(self.archive)
        self.access = Access(self.archive)
        self.metrics = Metrics()
        self.metrics.put("haidang_start_timestamp_seconds", self.now().timestamp())
        placer = Placer.of(self.archive)
        # Beside serving, so that a restart does not wait for it.
        threading.Thread(target=placer.build, name="grids", daemon=True).start()
        self.admission = Admission(placer, ZoneInfo(deployment.time_zone))
        self.journal = Journal(Archive(folder))
        self.window = Window(self.metrics, self.archive.layer_keys())
        self.uptime = Uptime(self.metrics)
        # A connection of its own: its writes wait for the journal, and nobody shall wait with them.
        self.presence = Presence(Archive(folder))
        self.tickets = Tickets(secret_of(deployment.ticket_secret_file, folder), self.now)
        limits = self.limits
        self.by_probe = Limiter(Rate(limits.probe_requests_per_s, limits.probe_burst), self.monotonic)
        self.by_address = Limiter(Rate(limits.address_requests_per_s, limits.address_burst), self.monotonic)
        failures = limits.address_failures_per_min
        self.failures = Limiter(Rate(failures / 60, failures), self.monotonic)
        tickets = limits.ticket_requests_per_min
        self.by_ticket = Limiter(Rate(tickets / 60, tickets), self.monotonic)
        self.workers = Workers(workers, folder, deployment.time_zone, self.admission)
        self.queries = ThreadPoolExecutor(2, thread_name_prefix="query")
        self.layers = self.archive.layers()
        self.participants = Participants(lambda: Archive(folder), self.monotonic)
        self._shapes: dict[str, dict[str, Any]] = {}
        self._results: dict[str, tuple[tuple[int, int], pl.DataFrame]] = {}
        self._stored = (0.0, 0, 0)  # when looked at, hot rows, free bytes

    def close(self) -> None:
        """Commit what waits and close."""
        self.workers.close()
        self.queries.shutdown()
        self.journal.close()
        self.presence.flush()
        self.archive.close()

    def storage(self) -> tuple[int, int]:
        """Return hot rows and free bytes, looked up at most once a second."""
        at, rows, free = self._stored
        if self.monotonic() - at > 1 or free == 0:
            rows = hot_rows(self.archive)
            free = shutil.disk_usage(self.archive.path).free
            self._stored = (self.monotonic(), rows, free)
        return rows, free

    def check_room(self) -> None:
        """Refuse before memory or disk runs out."""
        rows, free = self.storage()
        if self.journal.waiting_bytes > self.limits.waiting_bytes:
            raise Problem("storage-full", "The journal is behind.", retry_after_s=2)
        if free < self.limits.free_bytes:
            raise Problem("storage-full", "The disk is nearly full.", retry_after_s=60)
        if rows > self.limits.hot_rows:
            raise Problem("storage-full", "Sealing is behind.", retry_after_s=30)

    async def keep(self, incoming: Incoming) -> Receipt:
        """Make records durable; returns after the commit.

        Raises
        ------
        Problem
            `storage-full` where the journal cannot take them.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt | StorageError] = loop.create_future()

        def settle(answer: Receipt | StorageError) -> None:
            if not future.done():
                future.set_result(answer)

        def done(answer: Receipt | StorageError) -> None:
            loop.call_soon_threadsafe(settle, answer)

        self.journal.append(incoming, done)
        answer = await future
        if isinstance(answer, StorageError):
            raise Problem("storage-full", str(answer), retry_after_s=10)
        return answer

    def count(self, settled: Settled, receipt: Receipt) -> None:
        """Count a batch after its commit."""
        metrics, accepted, duplicates = self.metrics, len(settled.accepted), len(receipt.duplicates)
        metrics.count("haidang_records_received_total", accepted + len(settled.rejected))
        metrics.count("haidang_records_accepted_total", accepted)
        metrics.count("haidang_records_duplicate_total", duplicates)
        metrics.count("haidang_records_new_total", accepted - duplicates)
        for rejection in settled.rejected:
            metrics.count("haidang_records_rejected_total", reason=reason_of(rejection.path))
        fresh = settled.notes
        if duplicates:
            fresh = [note for position, note in enumerate(fresh) if position not in receipt.duplicates]
        metrics.count("haidang_records_simulated_total", [note.is_simulated for note in fresh].count(True))
        flagged = [note.flags for note in fresh if note.flags]
        for flag, count in Counter(chain.from_iterable(flagged)).items():
            metrics.count("haidang_records_flagged_total", count, flag=flag)
        self.window.add(fresh)
        self.uptime.add(fresh)

    def result(self, name: str) -> pl.DataFrame | None:
        """Return a table of the analysis, read again only when it has been replaced."""
        path = self.archive.path / layout.RESULTS / f"{name}.parquet"
        try:
            stat = path.stat()
        except OSError:
            return None
        stamp = (stat.st_mtime_ns, stat.st_size)
        held = self._results.get(name)
        if held is None or held[0] != stamp:
            frame = self.archive.read_result(name)
            if frame is None:
                return None
            held = self._results[name] = (stamp, frame)
        return held[1]

    def result_written_at(self, name: str) -> float | None:
        """Return when the analysis wrote a table, seconds since 1970."""
        path = self.archive.path / layout.RESULTS / f"{name}.parquet"
        try:
            return path.stat().st_mtime
        except OSError:
            return None

    def shapes(self, layer: Layer) -> dict[str, Any]:
        """Return the GeoJSON geometry of each area of a layer."""
        if layer.key not in self._shapes:
            features = to_geojson(layer)["features"]
            self._shapes[layer.key] = {f["properties"]["key"]: f["geometry"] for f in features}
        return self._shapes[layer.key]

    def base_stations(self) -> list[BaseStation]:
        """Return the registry of base stations."""
        return self.archive.base_stations()

    def journal_bytes(self) -> int:
        """Return the size of the catalogue and its write-ahead log."""
        base = self.archive.path / layout.CATALOGUE
        return sum(p.stat().st_size for p in (base, base.with_name(base.name + "-wal")) if p.exists())


def reason_of(path: str) -> str:
    """Return the group of a failing path: few words, so that the metric's series stay bounded.

    Examples
    --------
    >>> reason_of('$.radio[3].rsrp_dbm'), reason_of('$')
    ('radio', 'json')
    """
    word = path.removeprefix("$").lstrip(".").split(".")[0].split("[")[0]
    return word if word in Record.__struct_fields__ else "json"
