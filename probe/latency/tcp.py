"""The round trip of TCP's handshake: from SYN to the end of connect(). A refusal is an answer too."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from measurement.vocabulary import LatencyMethod
from probe.latency import sequence
from probe.latency.plan import EchoPlan, Endpoint
from probe.latency.statistics import Echoes


def connect_ms(family: int, address: tuple[object, ...], timeout_s: float) -> float:
    """Connect once."""
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        started = time.perf_counter_ns()
        with contextlib.suppress(ConnectionRefusedError):
            sock.connect(address)
        return (time.perf_counter_ns() - started) / 1e6


def measure(endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None = None) -> Echoes:
    """Time handshakes with a port."""
    family, _, _, _, address = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)[0]
    return sequence.run(LatencyMethod.TCP, lambda timeout_s: connect_ms(family, address, timeout_s), plan, stop)
