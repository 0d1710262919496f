"""Prometheus metrics of the peer.

Invariants, held by a test:

* tests_total{outcome="admitted"} = tests_ended_total + tests_running;
* connections_total = connections_open + connections_closed_total;
* every request that was answered is in requests_total exactly once, with its status;
* bytes_total counts payload only, what the kernel took (downlink) or gave (uplink).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from probe.peer.admission import Admission


class Metrics:
    """The peer's counters in a registry of their own."""

    def __init__(self, admission: Admission, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.connections = self._counter("connections", "Connections accepted or refused.", "outcome")
        self.connections_closed = self._counter("connections_closed", "Accepted connections that ended.")
        self.connections_open = self._gauge("connections_open", "Connections with a worker now.")
        self.requests = self._counter("requests", "Requests answered.", "path", "status")
        self.bytes = self._counter("bytes", "Payload bytes of tests.", "direction")
        self.tests = self._counter("tests", "Tests that asked for a place.", "outcome")
        self.tests_ended = self._counter("tests_ended", "Admitted tests that are over.")
        self.tickets = self._counter("tickets", "Tickets issued for browser tests.")
        running = self._gauge("tests_running", "Tests that hold a place.")
        running.set_function(lambda: admission.running_count)
        waiting = self._gauge("tests_waiting", "Tests that wait for a place.")
        waiting.set_function(lambda: admission.waiting_count)
        for outcome in ("admitted", "busy"):
            self.tests.labels(outcome)
        for direction in ("downlink", "uplink"):
            self.bytes.labels(direction)
        for outcome in ("accepted", "refused"):
            self.connections.labels(outcome)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"haidang_peer_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"haidang_peer_{name}", text, registry=self.registry)

    def watch_reflector(self, counts: Callable[[], dict[str, int]]) -> None:
        """Show the STAMP reflector's own counts."""
        self.registry.register(_Reflected(counts))

    def exposition(self) -> bytes:
        """Return the text format."""
        return generate_latest(self.registry)


class _Reflected(Collector):
    def __init__(self, counts: Callable[[], dict[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counts by outcome."""
        family = CounterMetricFamily("haidang_peer_reflector_packets", "UDP packets by outcome.", labels=["outcome"])
        for outcome, count in sorted(self._counts().items()):
            family.add_metric([outcome], count)
        yield family
