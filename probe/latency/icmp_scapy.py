"""ICMP echo through scapy's raw socket, by the timestamps the capture carries (scapy's own clock is 20 ms coarse)."""

from __future__ import annotations

import threading
import time

from measurement.vocabulary import LatencyMethod
from probe.latency import sequence
from probe.latency.plan import EchoPlan, Endpoint
from probe.latency.statistics import Echoes
from probe.path.link import Link, Probe, ProbeKind


def measure(endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None = None) -> Echoes:
    """Ping a host, one echo at a time.

    Raises
    ------
    PermissionError
        Where raw sockets are not allowed.
    """
    with Link(endpoint.host, ProbeKind.ICMP, rng=plan.rng) as link:
        counter = iter(range(1 << 16))

        def once(timeout_s: float) -> float:
            number = next(counter) % 65_000
            link.send(Probe(number=number, ttl=64))
            until = time.perf_counter() + timeout_s
            while (left := until - time.perf_counter()) > 0:
                for answer in link.receive(left):
                    if answer.number == number and answer.is_destination:
                        return answer.rtt_ms
            raise TimeoutError

        return sequence.run(LatencyMethod.ICMP, once, plan, stop)
