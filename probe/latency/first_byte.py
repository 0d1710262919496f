"""The round trip of a small HTTP request on a connection that stays open: from the request to the first byte."""

from __future__ import annotations

import http.client
import ssl
import threading
import time

from measurement.vocabulary import LatencyMethod
from probe.latency import sequence
from probe.latency.plan import EchoPlan, Endpoint
from probe.latency.statistics import Echoes

BODY_MOST_BYTES = 1 << 20


class Client:
    """One kept connection, opened again where the other end closed it."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None = None) -> None:
        self._endpoint, self._context = endpoint, context
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
            connection.request("GET", self._endpoint.path, headers={"Accept-Encoding": "identity"})
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
            host, port = self._endpoint.host, self._endpoint.port
            if self._endpoint.is_tls:
                context = self._context or ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
            self._connection.connect()
        return self._connection


def measure(endpoint: Endpoint, plan: EchoPlan, stop: threading.Event | None = None) -> Echoes:
    """Time requests to a URL."""
    client = Client(endpoint)
    try:
        return sequence.run(LatencyMethod.HTTP, client.once, plan, stop)
    finally:
        client.close()
