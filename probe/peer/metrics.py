"""Prometheus metrics of the peer.

Invariants, held by a test:

* tests_total{outcome="admitted"} ≥ tests_ended_total + tests_running − 0, and both agree once all tests are over;
* connections_total = connections_open + connections_closed_total;
* every request that was answered is in requests_total exactly once, with its status;
* bytes_total counts payload only, what the kernel took (downlink) or gave (uplink).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

if TYPE_CHECKING:
    from probe.peer.admission import Admission


class Metrics:
    """The peer's counters in a registry of their own."""

    def __init__(self, admission: Admission, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        place = {"namespace": "haidang", "subsystem": "peer", "registry": self.registry}
        self.connections = Counter("connections_total", "Connections accepted or refused.", ["outcome"], **place)
        self.connections_closed = Counter("connections_closed_total", "Accepted connections that ended.", **place)
        self.connections_open = Gauge("connections_open", "Connections with a worker now.", **place)
        self.requests = Counter("requests_total", "Requests answered.", ["path", "status"], **place)
        self.bytes = Counter("bytes_total", "Payload bytes of tests.", ["direction"], **place)
        self.tests = Counter("tests_total", "Tests that asked for a place.", ["outcome"], **place)
        self.tickets = Counter("tickets_total", "Tickets issued for browser tests.", **place)
        Gauge("tests_running", "Tests that hold a place.", **place).set_function(lambda: admission.running_count)
        Gauge("tests_waiting", "Tests that wait for a place.", **place).set_function(lambda: admission.waiting_count)
        for outcome in ("admitted", "busy"):
            self.tests.labels(outcome)
        for direction in ("downlink", "uplink"):
            self.bytes.labels(direction)
        for outcome in ("accepted", "refused"):
            self.connections.labels(outcome)

    def exposition(self) -> bytes:
        """Return the text format."""
        return generate_latest(self.registry)
