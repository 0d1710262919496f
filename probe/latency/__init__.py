"""Round trips: one method a file behind one table; `echo` runs a plan and gives the record's figures.

`collect` gives the echoes themselves (responsiveness needs them), `summarise` turns them into the figures.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import cast

from measurement.record import LatencyResult
from measurement.vocabulary import LatencyMethod
from probe.latency.plan import EchoPlan, Endpoint
from probe.latency.statistics import Echoes, summarise

__all__ = [
    "METHODS",
    "EchoPlan",
    "Echoes",
    "Endpoint",
    "LatencyMethod",
    "LatencyResult",
    "collect",
    "echo",
    "summarise",
]

METHODS: dict[LatencyMethod, str] = {
    LatencyMethod.STAMP: "probe.latency.stamp",
    LatencyMethod.ICMP: "probe.latency.icmp",
    LatencyMethod.TCP: "probe.latency.tcp",
    LatencyMethod.HTTP: "probe.latency.first_byte",
}
"""Each module's `measure(endpoint, plan, stop)` returns the echoes. It is loaded when it is used."""

Measure = Callable[[Endpoint, EchoPlan, threading.Event | None], Echoes]


def collect(method: LatencyMethod, endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None = None) -> Echoes:
    """Run a plan and return the echoes, in the order of sending.

    Blocks until the plan ends or `stop` is set, then for the replies under way at most `plan.timeout_s`.

    Raises
    ------
    OSError
        Where the name does not resolve or no socket may be opened. Silence is loss, not an exception.
    """
    return cast(Measure, importlib.import_module(METHODS[method]).measure)(endpoint, plan, stop)


def echo(
    method: LatencyMethod, endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None = None
) -> LatencyResult:
    """Run a plan and return its figures; see `collect`."""
    return summarise(collect(method, endpoint, plan, stop))
