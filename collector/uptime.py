"""Whether base stations and fixed lines are alive: tests served by each station, newest good test of each line."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from collector.metrics import Metrics
from collector.series import Key
from collector.settled import Note

MOST_LINES = 2_000
"""Fixed probes at offices; a city has some 250."""

Line = tuple[str, str]


class Uptime:
    """Counts tests by station, and remembers the newest test of each line; safe for several threads."""

    def __init__(self, metrics: Metrics) -> None:
        """Count into `metrics`; stations are bounded by the registry that they are matched with."""
        self._metrics = metrics
        self._lock = threading.Lock()
        self._last: dict[Line, float] = {}
        self._good: dict[Line, float] = {}

    def add(self, notes: Iterable[Note]) -> None:
        """Add new records; flagged ones do not count."""
        stations: Counter[str] = Counter()
        for note in notes:
            if note.flags:
                continue
            if note.base_station is not None and not note.is_failed:
                stations[note.base_station] += 1
            if note.is_fixed and note.organisation is not None:
                self._heard((note.organisation, note.probe_id), note)
        for station, count in stations.items():
            self._metrics.count("haidang_station_tests_total", count, base_station=station)

    def _heard(self, line: Line, note: Note) -> None:
        with self._lock:
            if line not in self._last and len(self._last) >= MOST_LINES:
                return
            self._last[line] = max(note.started_s, self._last.get(line, 0.0))
            if not note.is_failed:
                self._good[line] = max(note.started_s, self._good.get(line, 0.0))

    def export(self) -> None:
        """Set the gauges of the lines; a line that never had a good test has 0 for it."""
        with self._lock:
            last: dict[Key, float] = dict(self._last.items())
            good: dict[Key, float] = {line: self._good.get(line, 0.0) for line in self._last}
        self._metrics.replace("haidang_line_last_test_timestamp_seconds", last)
        self._metrics.replace("haidang_line_last_success_timestamp_seconds", good)
