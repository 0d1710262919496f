"""A rolling window of each area × operator × technology, for the gauges that dashboards and alerts read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import fmean, median

from collector.metrics import Metrics
from collector.settled import Note

SPAN = timedelta(hours=1)
MOST_SERIES = 5_000
"""Of area × operator × technology over all layers: 15 districts × 5 × 4 and 114 communes × 5 × 4 are 2,580."""
MOST_SAMPLES = 2_000
"""Of one series: the newest count. A median of 2,000 is known to some 3 % of the spread."""

Series = tuple[str, str, str, str]


_MEDIANS = (
    ("haidang_area_downlink_goodput_bits_per_second", "downlink_bps"),
    ("haidang_area_uplink_goodput_bits_per_second", "uplink_bps"),
    ("haidang_area_latency_seconds", "latency_s"),
)
GAUGES = (
    *(name for name, _ in _MEDIANS),
    "haidang_area_loss_ratio",
    "haidang_area_failure_ratio",
    "haidang_area_samples",
    "haidang_area_probes",
    "haidang_area_last_sample_timestamp_seconds",
)


class Window:
    """The newest samples of every series; safe for several threads."""

    def __init__(self, metrics: Metrics, layers: list[str]) -> None:
        """Export to `metrics` for the areas of `layers`."""
        self._metrics = metrics
        self._layers = layers
        self._series: dict[Series, deque[Note]] = {}
        self._dropped: set[Series] = set()
        self._lock = threading.Lock()

    def add(self, notes: Iterable[Note]) -> None:
        """Add new records; flagged ones and those without operator or technology do not count."""
        with self._lock:
            for note in notes:
                operator, technology = note.operator, note.technology
                if note.flags or operator is None or technology is None:
                    continue
                for layer, area in zip(self._layers, note.areas, strict=True):
                    if area is not None:
                        self._append((layer, area, operator, technology), note)

    def _append(self, key: Series, sample: Note) -> None:
        samples = self._series.get(key)
        if samples is None:
            if len(self._series) >= MOST_SERIES:
                if len(self._dropped) < MOST_SERIES:
                    self._dropped.add(key)
                return
            samples = self._series[key] = deque(maxlen=MOST_SAMPLES)
        samples.append(sample)

    def export(self, now: datetime) -> None:
        """Set every gauge from the samples of the span before `now`."""
        since = (now - SPAN).timestamp()
        with self._lock:
            held = {key: [s for s in samples if s.started_s >= since] for key, samples in self._series.items()}
            self._series = {key: deque(fresh, MOST_SAMPLES) for key, fresh in held.items() if fresh}
            dropped, self._dropped = len(self._dropped), set()
        with self._metrics.renewed(*GAUGES):
            for key, samples in held.items():
                if samples:
                    self._put(dict(zip(("layer", "area", "operator", "technology"), key, strict=True)), samples)
        self._metrics.put("haidang_area_series_dropped", dropped)

    def _put(self, labels: dict[str, str], samples: list[Note]) -> None:
        put = self._metrics.put
        for name, field in _MEDIANS:
            values = [v for v in (getattr(s, field) for s in samples) if v is not None]
            if values:
                put(name, median(values), **labels)
        losses = [s.loss_ratio for s in samples if s.loss_ratio is not None]
        if losses:
            put("haidang_area_loss_ratio", fmean(losses), **labels)
        put("haidang_area_failure_ratio", fmean(s.is_failed for s in samples), **labels)
        put("haidang_area_samples", len(samples), **labels)
        put("haidang_area_probes", len({s.probe_id for s in samples}), **labels)
        put("haidang_area_last_sample_timestamp_seconds", max(s.started_s for s in samples), **labels)
