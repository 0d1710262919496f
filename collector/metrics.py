# ruff: noqa: E501
"""Every metric of the collector, one row each; docs/operations.md and the alert rules read this table.

Invariants, at every scrape taken while no request is under way:

    haidang_records_received_total = haidang_records_accepted_total + haidang_records_rejected_total
    haidang_records_accepted_total = haidang_records_new_total + haidang_records_duplicate_total
    haidang_journal_records        = records in hot blocks not yet in a segment
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics

from collector.series import Key, Series
from collector.text import text_of


class Type(StrEnum):
    """Type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """Name by Prometheus conventions, type, help, labels, unit."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""


AREA = ("layer", "area", "operator", "technology")
LINE = ("organisation", "probe_id")

METRICS: tuple[Metric, ...] = (
    Metric("haidang_records_received_total", Type.COUNTER, "Records found in requests that could be read."),
    Metric("haidang_records_accepted_total", Type.COUNTER, "Records acknowledged: new or duplicate."),
    Metric("haidang_records_new_total", Type.COUNTER, "Records acknowledged and kept."),
    Metric("haidang_records_duplicate_total", Type.COUNTER, "Records acknowledged that were kept before."),
    Metric("haidang_records_rejected_total", Type.COUNTER, "Records refused with path and reason.", ("reason",)),
    Metric("haidang_records_flagged_total", Type.COUNTER, "Plausibility flags set on new records.", ("flag",)),
    Metric("haidang_records_simulated_total", Type.COUNTER, "New records that say they are simulated."),
    Metric("haidang_requests_total", Type.COUNTER, "Requests by route and status.", ("route", "status")),
    Metric("haidang_requests_refused_total", Type.COUNTER, "Requests refused as a whole.", ("code",)),
    Metric("haidang_received_bytes_total", Type.COUNTER, "Bytes of record bodies as they came.", (), "bytes"),
    Metric("haidang_acknowledge_seconds", Type.HISTOGRAM, "From the first byte read to durable.", (), "seconds"),
    Metric("haidang_journal_commits_total", Type.COUNTER, "Commits of the journal."),
    Metric("haidang_journal_commit_seconds_total", Type.COUNTER, "Time spent in commits.", (), "seconds"),
    Metric("haidang_journal_records", Type.GAUGE, "Records durable in the journal and in no segment yet."),
    Metric("haidang_journal_waiting_bytes", Type.GAUGE, "Bytes waiting for a commit.", (), "bytes"),
    Metric("haidang_journal_bytes", Type.GAUGE, "Size of the catalogue and its write-ahead log.", (), "bytes"),
    Metric("haidang_archive_segments", Type.GAUGE, "Segments in the catalogue."),
    Metric("haidang_archive_records", Type.GAUGE, "Records in segments."),
    Metric("haidang_archive_bytes", Type.GAUGE, "Size of the segments.", (), "bytes"),
    Metric("haidang_disk_free_bytes", Type.GAUGE, "Free space where the archive lies.", (), "bytes"),
    Metric("haidang_sink_lag_records", Type.GAUGE, "Records a sink has still to take.", ("sink",)),
    Metric("haidang_sink_delivered_total", Type.COUNTER, "Records a sink has taken.", ("sink",)),
    Metric("haidang_sink_failures_total", Type.COUNTER, "Writes a sink has refused.", ("sink",)),
    Metric("haidang_probes", Type.GAUGE, "Probes seen in the last hour."),
    Metric("haidang_probes_enrolled", Type.GAUGE, "Probes with a token that is not revoked."),
    Metric("haidang_probe_last_seen_timestamp_seconds", Type.GAUGE, "Newest contact with any probe.", (), "seconds"),
    Metric("haidang_start_timestamp_seconds", Type.GAUGE, "When the collector began to serve.", (), "seconds"),
    Metric("haidang_area_downlink_goodput_bits_per_second", Type.GAUGE, "Median downlink goodput of the window.", AREA, "bits per second"),
    Metric("haidang_area_uplink_goodput_bits_per_second", Type.GAUGE, "Median uplink goodput of the window.", AREA, "bits per second"),
    Metric("haidang_area_latency_seconds", Type.GAUGE, "Median idle round trip of the window.", AREA, "seconds"),
    Metric("haidang_area_loss_ratio", Type.GAUGE, "Mean idle packet loss of the window.", AREA, "ratio"),
    Metric("haidang_area_failure_ratio", Type.GAUGE, "Share of failed tests of the window.", AREA, "ratio"),
    Metric("haidang_area_samples", Type.GAUGE, "Tests in the window.", AREA),
    Metric("haidang_area_probes", Type.GAUGE, "Probes with a test in the window.", AREA),
    Metric("haidang_area_last_sample_timestamp_seconds", Type.GAUGE, "Start of the newest test.", AREA, "seconds"),
    Metric("haidang_area_rating_score", Type.GAUGE, "Score 0 to 100 the analysis gave the newest period.", AREA),
    Metric("haidang_area_degraded", Type.GAUGE, "Severity of a degradation: 0 none, 1 minor, 2 major.", AREA),
    Metric("haidang_area_info", Type.GAUGE, "1 for each area; what people call it.", ("layer", "area", "name", "name_en")),
    Metric("haidang_station_tests_total", Type.COUNTER, "New tests that a base station of the registry served.", ("base_station",)),
    Metric("haidang_line_last_test_timestamp_seconds", Type.GAUGE, "Start of the newest test of a fixed line.", LINE, "seconds"),
    Metric("haidang_line_last_success_timestamp_seconds", Type.GAUGE, "Start of its newest test that came through.", LINE, "seconds"),
    Metric("haidang_coverage_holes", Type.GAUGE, "Coverage holes the analysis last found.", ("operator", "technology")),
    Metric("haidang_coverage_hole_area_square_metres", Type.GAUGE, "Their surface.", ("operator", "technology"), "square metres"),
    Metric("haidang_result_timestamp_seconds", Type.GAUGE, "When the analysis last wrote a result table.", ("result",), "seconds"),
    Metric("haidang_certificate_expiry_timestamp_seconds", Type.GAUGE, "When the collector's certificate expires.", (), "seconds"),
    Metric("haidang_area_series_dropped", Type.GAUGE, "Area series beyond the bound, not exported."),
)  # fmt: skip
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}

ACKNOWLEDGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The metrics of one collector, in a registry of their own."""

    def __init__(self) -> None:
        """Make every counter, gauge and histogram of the table."""
        # A second series beside each histogram, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._series: dict[str, Series] = {}
        self._histograms: dict[str, Histogram] = {}
        self._sources: dict[str, object] = {}
        self._in_order: list[Series | Histogram] = []
        for name, kind, text, labels, _ in METRICS:
            if kind is Type.HISTOGRAM:
                made = Histogram(name, text, labels, registry=self.registry, buckets=ACKNOWLEDGE_BUCKETS)
                self._in_order.append(self._histograms.setdefault(name, made))
            else:
                series = self._series[name] = Series(name, kind.value, text, labels)
                self.registry.register(series)
                self._in_order.append(series)

    def count(self, name: str, amount: float = 1, /, **labels: str) -> None:
        """Raise a counter."""
        series = self._series[name]
        series.add(tuple(labels[label] for label in series.labels), amount)

    def count_to(self, name: str, total: float, /, **labels: str) -> None:
        """Raise a counter to a total that is kept elsewhere; it never falls."""
        series = self._series[name]
        series.raise_to(tuple(labels[label] for label in series.labels), total)

    def put(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        series = self._series[name]
        series.put(tuple(labels[label] for label in series.labels), value)

    def replace(self, name: str, values: Mapping[Key, float]) -> None:
        """Set every series of a gauge by its label values, and forget all others."""
        self._series[name].replace(values)

    def replace_from(self, name: str, source: object, values: Callable[[], Mapping[Key, float]]) -> None:
        """Do the same from a source; nothing where it is the very source of the last time."""
        if self._sources.get(name) is not source:
            self._sources[name] = source
            self.replace(name, values())

    def observe(self, name: str, value: float) -> None:
        """Add a value to a histogram."""
        self._histograms[name].observe(value)

    def value(self, name: str, /, **labels: str) -> float:
        """Return what would be exported, 0 where the series does not exist."""
        series = self._series.get(name)
        if series is None:
            return self.registry.get_sample_value(name, labels or None) or 0.0
        return series.value(tuple(labels[label] for label in series.labels)) or 0.0

    def page(self) -> bytes:
        """Return every metric in Prometheus' text format."""
        return text_of(self._in_order)
