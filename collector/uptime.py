"""Whether base stations and fixed lines are alive: tests served by each station, newest good test of each line."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from collector.admission import Admitted
from collector.metrics import Metrics
from measurement.vocabulary import PositionSource, Status

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

    def add(self, admitted: Iterable[Admitted]) -> None:
        """Add new records; flagged ones do not count."""
        stations: Counter[str] = Counter()
        for item in admitted:
            if item.flags:
                continue
            match = item.place.match
            if match is not None and not match.is_doubtful and item.record.outcome.status is not Status.FAILED:
                stations[match.id] += 1
            self._heard(item)
        for station, count in stations.items():
            self._metrics.count("haidang_station_tests_total", count, base_station=station)

    def _heard(self, item: Admitted) -> None:
        record = item.record
        is_fixed = record.position is not None and record.position.source is PositionSource.FIXED
        if record.organisation is None or not is_fixed:
            return
        line, at = (record.organisation, record.probe_id), record.started_at.timestamp()
        with self._lock:
            if line not in self._last and len(self._last) >= MOST_LINES:
                return
            self._last[line] = max(at, self._last.get(line, 0.0))
            if record.outcome.status is not Status.FAILED:
                self._good[line] = max(at, self._good.get(line, 0.0))

    def export(self) -> None:
        """Set the gauges of the lines; a line that never had a good test has 0 for it."""
        with self._lock:
            rows = [(line, at, self._good.get(line, 0.0)) for line, at in self._last.items()]
        for (organisation, probe), last, good in rows:
            labels = {"organisation": organisation, "probe_id": probe}
            self._metrics.put("haidang_line_last_test_timestamp_seconds", last, **labels)
            self._metrics.put("haidang_line_last_success_timestamp_seconds", good, **labels)
