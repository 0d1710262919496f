"""The loop of the methods that take one round trip at a time (TCP connect, HTTP first byte)."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from measurement.vocabulary import LatencyMethod
from probe.latency.plan import EchoPlan
from probe.latency.statistics import Echoes

_never = threading.Event()


def run(
    method: LatencyMethod, once: Callable[[float], float], plan: EchoPlan, stop: threading.Event | None = None
) -> Echoes:
    """Call `once(timeout_s)` by the plan; it returns a round trip in ms, or raises OSError, which is loss."""
    echoes, start, told = Echoes(method), time.perf_counter(), stop or _never
    end = start + plan.duration_s if plan.duration_s is not None else math.inf
    due = start
    while not told.wait(max(0.0, min(due, end) - time.perf_counter())) and due < end:
        echoes.at_s.append(time.perf_counter() - start)
        try:
            echoes.rtt_ms.append(once(plan.timeout_s))
        except OSError:
            echoes.rtt_ms.append(math.nan)
        if len(echoes.rtt_ms) == plan.count:
            break
        # A slow answer delays the next probe; what was missed meanwhile is not sent in a burst.
        due = max(due + plan.next_interval_s(), time.perf_counter())
    echoes.reflected = [-1] * len(echoes.rtt_ms)
    return echoes
