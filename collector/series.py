"""The series of one counter or gauge as a dictionary, and as the lines of Prometheus' text format 0.0.4.

`prometheus_client` makes two objects a sample at every scrape: most of a scrape's time at city scale. Here a line's
labels are written once, and the text of a metric again only when a value changed. A test holds it to that library.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.utils import floatToGoString

Key = tuple[str, ...]
_number: Callable[[float], str] = floatToGoString
_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class Series:
    """Values by label values; safe for several threads. Without labels there is one, 0 from the start."""

    def __init__(self, name: str, kind: str, text: str, labels: tuple[str, ...]) -> None:
        """Make a metric of kind `counter` or `gauge`."""
        self.name, self.kind, self.labels = name, kind, labels
        self._help = text
        self._values: dict[Key, float] = {} if labels else {(): 0.0}
        self._starts: dict[Key, str] = {}
        self._text: str | None = None
        self._lock = threading.Lock()

    def put(self, key: Key, value: float) -> None:
        """Set a series."""
        with self._lock:
            if self._values.get(key) != value:
                self._values[key] = value
                self._text = None

    def add(self, key: Key, amount: float) -> None:
        """Raise a series."""
        with self._lock:
            self._values[key] = self._values.get(key, 0.0) + amount
            self._text = None

    def raise_to(self, key: Key, total: float) -> None:
        """Raise a series to a total; it never falls."""
        with self._lock:
            before = self._values.get(key)
            if before is None or total > before:
                self._values[key] = max(total, 0.0)
                self._text = None

    def replace(self, values: Mapping[Key, float]) -> None:
        """Set every series and forget all others."""
        with self._lock:
            if values == self._values:
                return
            self._values = dict(values)
            self._text = None
            if len(self._starts) > 2 * len(self._values) + 100:
                self._starts = {}

    def value(self, key: Key) -> float | None:
        """Return one series, None where it does not exist."""
        return self._values.get(key)

    def _start(self, key: Key) -> str:
        """Return name and labels of a series as they stand in a line."""
        start = self._starts.get(key)
        if start is None:
            pairs = ",".join(
                f'{name}="{_escaped(value)}"' for name, value in sorted(zip(self.labels, key, strict=True))
            )
            start = self._starts[key] = f"{self.name}{{{pairs}}} " if pairs else f"{self.name} "
        return start

    def text(self) -> str:
        """Return the lines of the metric, its help and type first."""
        with self._lock:
            if self._text is None:
                lines = [self._start(key) + _number(value) for key, value in self._values.items()]
                told = self._help.replace("\\", r"\\").replace("\n", r"\n")
                head = [f"# HELP {self.name} {told}", f"# TYPE {self.name} {self.kind}"]
                self._text = "\n".join([*head, *lines, ""])
            return self._text

    def describe(self) -> Iterable[CounterMetricFamily]:
        """Say nothing on registration, as prometheus_client allows."""
        return ()

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Return the metric as prometheus_client's own."""
        family = _FAMILIES[self.kind](self.name, self._help, labels=self.labels)
        with self._lock:
            for key, value in self._values.items():
                family.add_metric(key, value)
        return (family,)
