"""A collector's metrics as one page of Prometheus' text format 0.0.4."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from collector.series import Series


def text_of(metrics: list[Series | Histogram]) -> bytes:
    """Return every metric in order; histograms, of which there are few, as prometheus_client writes them."""
    return b"".join(metric.text().encode() if isinstance(metric, Series) else _foreign(metric) for metric in metrics)


def _foreign(metric: Histogram) -> bytes:
    alone = CollectorRegistry()
    alone.register(metric)
    return generate_latest(alone)
