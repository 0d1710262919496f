"""The agent as Prometheus text on a local port. Knows prometheus_client, loaded only when the port is on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from measurement.errors import ConfigError

if TYPE_CHECKING:
    from probe.agent.agent import Agent


class Row(NamedTuple):
    """One metric: name, kind, help, and how to read it; a dict gives one series a label value."""

    name: str
    kind: str
    help: str
    label: str | None
    read: Callable[[Agent], Any]


def _tests(agent: Agent) -> dict[str, int]:
    return {status: getattr(agent.tally, status) for status in ("complete", "partial", "failed")}


def _skips(agent: Agent) -> dict[str, int]:
    return {"busy": agent.tally.skipped_busy, "budget": agent.tally.skipped_budget}


def _dropped(agent: Agent) -> dict[str, int]:
    counters = agent.spool.counters()
    return {name.removeprefix("dropped_"): n for name, n in counters.items() if name.startswith("dropped_")}


def _spent(agent: Agent) -> dict[str, int]:
    return {"day": agent.budget.spent.day_bytes, "month": agent.budget.spent.month_bytes}


ROWS = (
    Row("haidang_probe_tests", "counter", "Tests since the start, by outcome.", "status", _tests),
    Row("haidang_probe_skipped", "counter", "Tests skipped, by reason.", "reason", _skips),
    Row(
        "haidang_probe_instrument_errors",
        "counter",
        "Tests without a record because the instrument failed.",
        None,
        lambda agent: agent.tally.instrument_errors,
    ),
    Row("haidang_probe_bytes", "counter", "Bytes that tests have cost.", None, lambda agent: agent.tally.bytes_count),
    Row("haidang_probe_budget_spent_bytes", "gauge", "Bytes spent in this period.", "period", _spent),
    Row(
        "haidang_probe_budget_stretch", "gauge", "Growth of the mean interval.", None, lambda agent: agent.tally.stretch
    ),
    Row("haidang_probe_next_test_seconds", "gauge", "Until the next test.", None, lambda agent: agent.next_test_in_s),
    Row(
        "haidang_probe_spool_records",
        "gauge",
        "Records in the spool.",
        "state",
        lambda agent: dict(zip(("waiting", "refused"), agent.spool.depth()[:2], strict=True)),
    ),
    Row(
        "haidang_probe_spool_bytes",
        "gauge",
        "Bytes of records held.",
        None,
        lambda agent: agent.spool.depth().byte_count,
    ),
    Row("haidang_probe_dropped", "counter", "Records the full spool has dropped, by what they were.", "kind", _dropped),
    Row(
        "haidang_probe_delivery_failures_in_a_row",
        "gauge",
        "Failed deliveries since the last good one.",
        None,
        lambda agent: agent.reporter.failure_count if agent.reporter is not None else 0,
    ),
)


class AgentCollector:
    """What prometheus_client asks at each scrape."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def collect(self) -> Iterator[Any]:
        """Yield one metric family a row."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        kinds: dict[str, Any] = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        for row in ROWS:
            family = kinds[row.kind](row.name, row.help, labels=[row.label] if row.label else None)
            values = row.read(self._agent)
            for label, value in (values if row.label else {"": values}).items():
                family.add_metric([label] if row.label else [], float(value))
            yield family


def serve(agent: Agent, host: str, port: int) -> int:
    """Answer scrapes in a thread; return the port in use.

    Raises
    ------
    ConfigError
        Where the address cannot be taken.
    """
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry(auto_describe=False)
    registry.register(AgentCollector(agent))
    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigError(f"metrics.port: Invalid address {host}:{port}. {error.strerror}.") from None
    return int(server.server_port)
