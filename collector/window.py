"""A rolling window of each area × operator × technology, for the gauges that dashboards and alerts read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from operator import attrgetter
from statistics import median

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
_GAUGES = (
    "haidang_area_loss_ratio",
    "haidang_area_failure_ratio",
    "haidang_area_samples",
    "haidang_area_probes",
    "haidang_area_last_sample_timestamp_seconds",
)
GAUGES = (*(name for name, _ in _MEDIANS), *_GAUGES)
Figures = tuple[float | None, ...]


_columns = attrgetter(*(field for _, field in _MEDIANS), "loss_ratio", "is_failed", "probe_id", "started_s")


def _figures(samples: Collection[Note]) -> Figures:
    """Return the value of each of `GAUGES`."""
    *kpis, failed, probes, started = zip(*map(_columns, samples), strict=True)
    *columns, losses = ([value for value in column if value is not None] for column in kpis)
    return (
        *(median(values) if values else None for values in columns),
        sum(losses) / len(losses) if losses else None,
        sum(failed) / len(failed),
        len(samples),
        len(set(probes)),
        max(started),
    )


class _Cell:
    """The samples of one series, and its figures until they change."""

    __slots__ = ("_figures", "_oldest_s", "samples")

    def __init__(self) -> None:
        self.samples: deque[Note] = deque(maxlen=MOST_SAMPLES)
        self._oldest_s = float("inf")
        self._figures: Figures | None = None

    def append(self, sample: Note) -> None:
        self.samples.append(sample)
        self._oldest_s = min(self._oldest_s, sample.started_s)
        self._figures = None

    def forget(self, since_s: float) -> None:
        """Forget what began before."""
        if self._oldest_s < since_s:
            self.samples = deque((s for s in self.samples if s.started_s >= since_s), MOST_SAMPLES)
            self._oldest_s = min((s.started_s for s in self.samples), default=float("inf"))
            self._figures = None

    def figures(self) -> Figures:
        """Return the value of each of `GAUGES`, reckoned anew only where the samples changed."""
        if self._figures is None:
            self._figures = _figures(self.samples)
        return self._figures


class Window:
    """The newest samples of every series; safe for several threads."""

    def __init__(self, metrics: Metrics, layers: list[str]) -> None:
        """Export to `metrics` for the areas of `layers`."""
        self._metrics = metrics
        self._layers = layers
        self._cells: dict[Series, _Cell] = {}
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
        cell = self._cells.get(key)
        if cell is None:
            if len(self._cells) >= MOST_SERIES:
                if len(self._dropped) < MOST_SERIES:
                    self._dropped.add(key)
                return
            cell = self._cells[key] = _Cell()
        cell.append(sample)

    def export(self, now: datetime) -> None:
        """Set every gauge from the samples of the span before `now`."""
        since_s = (now - SPAN).timestamp()
        with self._lock:
            for cell in self._cells.values():
                cell.forget(since_s)
            self._cells = {key: cell for key, cell in self._cells.items() if cell.samples}
            figures = {key: cell.figures() for key, cell in self._cells.items()}
            dropped, self._dropped = len(self._dropped), set()
        for number, name in enumerate(GAUGES):
            self._metrics.replace(name, {k: value for k, f in figures.items() if (value := f[number]) is not None})
        self._metrics.put("haidang_area_series_dropped", dropped)
