"""The round trip of a small HTTP request on a connection that stays open: from the request to the first byte."""

from __future__ import annotations

import http.client
import threading
import time

from measurement.vocabulary import LatencyMethod
from probe.failures import NetworkFailure
from probe.latency import sequence
from probe.latency.plan import EchoPlan, Endpoint
from probe.latency.statistics import Echoes
from probe.target import Target
from probe.throughput.connect import connect

BODY_MOST_BYTES = 1 << 20


class Client:
    """One kept connection, opened again where the other end closed it."""

    def __init__(self, endpoint: Endpoint) -> None:
        scheme, name = "https" if endpoint.is_tls else "http", endpoint.name or endpoint.host
        self._target = Target(scheme, name, endpoint.port, address=endpoint.host, authority=endpoint.authority)
        self._path = endpoint.path
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def once(self, timeout_s: float) -> float:
        """Send one request and return the time to its first byte, in ms; connecting is not counted."""
        try:
            connection = self._open(timeout_s)
            started = time.perf_counter_ns()
            connection.request("GET", self._path, headers={"Accept-Encoding": "identity"})
            answer = connection.getresponse()
            elapsed = (time.perf_counter_ns() - started) / 1e6
            if answer.length is None or answer.length > BODY_MOST_BYTES or answer.will_close:
                self.close()
            else:
                answer.read()
        except http.client.HTTPException as error:
            self.close()
            raise ConnectionError(str(error)) from None
        except OSError:
            self.close()
            raise
        return elapsed

    def _open(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._connection is None:
            try:
                sock = connect(self._target, timeout_s).socket
            except NetworkFailure as failure:
                raise ConnectionError(str(failure)) from None
            sock.settimeout(timeout_s)
            self._connection = http.client.HTTPConnection(self._target.host, self._target.port, timeout=timeout_s)
            self._connection.sock = sock
        return self._connection


def measure(endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None = None) -> Echoes:
    """Time requests to a URL."""
    client = Client(endpoint)
    try:
        return sequence.run(LatencyMethod.HTTP, client.once, plan, stop)
    finally:
        client.close()
