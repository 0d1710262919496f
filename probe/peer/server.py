"""The peer as a server: accepts, bounds, and gives each connection a worker thread until it ends."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from http import HTTPStatus

import msgspec

from measurement.errors import ConfigError
from probe.peer.admission import Busy, Lease
from probe.peer.connection import BadRequest, Gone, PeerConnection, Request
from probe.peer.router import ROUTES, Route, load
from probe.peer.state import PeerSettings, PeerState

HANDSHAKE_SECONDS = 10.0
STALL_SECONDS = 10.0
"""A handler's read or write may block this long; then the connection is given up."""
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_log = logging.getLogger("haidang.peer")


class Peer(PeerState):
    """A running measurement server. `start` binds and returns; `stop` ends gracefully."""

    def __init__(self, settings: PeerSettings) -> None:
        super().__init__(settings)
        self._tls = self._tls_context()
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._open: dict[PeerConnection, threading.Thread] = {}
        self._per_address: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self._listener.getsockname()[1]) if self._listener else self.settings.port

    @property
    def url(self) -> str:
        """How to reach it from this machine."""
        host = {"::": "127.0.0.1", "0.0.0.0": "127.0.0.1", "": "127.0.0.1"}.get(self.settings.host, self.settings.host)  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def start(self) -> None:
        """Bind, then serve on threads.

        Raises
        ------
        ConfigError
            Where the address cannot be had.
        """
        self._listener = self._listen()
        try:
            self._start_reflector()
        except ConfigError:
            self._listener.close()
            raise
        threading.Thread(target=self._accept, name="peer-accept", daemon=True).start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Take no new connection, let running tests end within `grace_s`, then close what is left."""
        self._stopping.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        deadline = time.monotonic() + grace_s
        while self.admission.running_count and time.monotonic() < deadline:
            time.sleep(0.05)
        with self._lock:
            left = dict(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in left.values():
            if thread.ident is not None:  # one that was about to start finds its socket shut
                thread.join(max(0.1, deadline + 1 - time.monotonic()))
        if self.reflector is not None:
            self.reflector.stop()

    def _tls_context(self) -> ssl.SSLContext | None:
        if self.settings.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.settings.certificate, self.settings.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{self.settings.certificate}: Invalid certificate or key. {error}.") from None
        return context

    def _listen(self) -> socket.socket:
        host, port = self.settings.host, self.settings.port
        try:
            is_dual = host in ("::", "") and socket.has_dualstack_ipv6()
            family = socket.getaddrinfo(host or "::", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
            return socket.create_server(
                (host, port), family=family, backlog=1024, dualstack_ipv6=is_dual and family == socket.AF_INET6
            )
        except (OSError, OverflowError) as error:
            raise ConfigError(f"Invalid address {host}:{port}. {error}.") from None

    def _start_reflector(self) -> None:
        if self.settings.stamp_port == -1:
            return
        from probe.latency.stamp import Reflector

        wanted = self.settings.stamp_port
        # The TCP port's own number where it is free; another one is as good, since probes are told which.
        for port in (self.port, 0) if wanted is None else (wanted,):
            try:
                self.reflector = Reflector(self.settings.host, port, key=self.settings.stamp_key)
                break
            except ConfigError:
                if wanted is not None or port == 0:
                    raise
        self.reflector.start()
        self.metrics.watch_reflector(lambda: dict(self.reflector.counts))

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._stopping.is_set():
            try:
                sock, address = self._listener.accept()
            except OSError:
                if self._stopping.is_set():
                    return
                time.sleep(0.05)  # out of file descriptors: let some connection end
                continue
            host = str(address[0]).removeprefix("::ffff:")
            with self._lock:
                is_full = len(self._open) >= self.settings.limits.connections
                is_greedy = self._per_address[host] >= self.settings.limits.connections_per_address
            if is_full or is_greedy:
                self._refuse(sock)
            else:
                self._begin(sock, host)

    def _refuse(self, sock: socket.socket) -> None:
        self.metrics.connections.labels("refused").inc()
        with contextlib.suppress(OSError):
            sock.setblocking(False)
            if self._tls is None:
                sock.send(REFUSAL)
        sock.close()

    def _begin(self, sock: socket.socket, host: str) -> None:
        connection = PeerConnection(sock, host, self)
        thread = threading.Thread(target=self._serve, args=(connection,), name=f"peer-{host}", daemon=True)
        with self._lock:
            self._open[connection] = thread
            self._per_address[host] += 1
        self.metrics.connections.labels("accepted").inc()
        self.metrics.connections_open.inc()
        thread.start()

    def _serve(self, connection: PeerConnection) -> None:
        try:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection.socket.settimeout(HANDSHAKE_SECONDS)
                connection.socket = self._tls.wrap_socket(connection.socket, server_side=True)
            while not self._stopping.is_set():
                self._answer(connection)
                if not connection.keep_alive:
                    break
        except (OSError, Gone):
            pass  # the other end went away; what it cost is counted
        except Exception:
            _log.exception("a handler failed for %s", connection.address)
        finally:
            with contextlib.suppress(OSError):
                connection.socket.close()
            with self._lock:
                del self._open[connection]
                self._per_address[connection.address] -= 1
                if not self._per_address[connection.address]:
                    del self._per_address[connection.address]
            self.metrics.connections_open.dec()
            self.metrics.connections_closed.inc()

    def _answer(self, connection: PeerConnection) -> None:
        path = "invalid"
        try:
            request = connection.next_request()
            connection.set_time_limit(STALL_SECONDS)
            route = ROUTES.get(request.path)
            path = request.path if route is not None else "unknown"
            status = self._dispatch(connection, request, route)
        except BadRequest as error:
            connection.keep_alive = False
            status = error.status
            connection.set_time_limit(1.0)
            self._reject(connection, status, error.reason)
        self.metrics.requests.labels(path, str(int(status))).inc()

    def _dispatch(self, connection: PeerConnection, request: Request, route: Route | None) -> HTTPStatus:
        if route is None:
            raise BadRequest(HTTPStatus.NOT_FOUND, "No such path.")
        if request.verb == "OPTIONS":
            allow = [("Access-Control-Allow-Methods", ", ".join(route.verbs)), ("Access-Control-Allow-Headers", "*")]
            connection.respond(HTTPStatus.NO_CONTENT, headers=allow)
            return HTTPStatus.NO_CONTENT
        if request.verb not in route.verbs and not (request.verb == "HEAD" and "GET" in route.verbs):
            raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, f"Invalid method {request.verb}. {', '.join(route.verbs)}.")
        handler = load(route)
        if not route.is_test:
            handler(connection, request)
            return HTTPStatus.OK
        try:
            lease = self._lease(connection, request)
        except Busy as busy:
            headers = [("Retry-After", str(int(busy.retry_after_s) + 1))]
            self._reject(connection, HTTPStatus.TOO_MANY_REQUESTS, busy.reason, headers)
            return HTTPStatus.TOO_MANY_REQUESTS
        connection.lease = lease
        try:
            handler(connection, request)
        finally:
            self.admission.leave(lease)
        return HTTPStatus.OK

    def _lease(self, connection: PeerConnection, request: Request) -> Lease:
        """Find the test a stream belongs to, and enter it."""
        if "test" not in request.query:
            return self.admission.join(connection.address)
        lease = self.admission.find(request.query["test"])
        if lease is None:
            raise BadRequest(HTTPStatus.FORBIDDEN, "Invalid test. It is over, or never was.")
        self.admission.enter(lease)
        return lease

    @staticmethod
    def _reject(
        connection: PeerConnection, status: HTTPStatus, reason: str, headers: list[tuple[str, str]] | None = None
    ) -> None:
        connection.keep_alive = False
        body = msgspec.json.encode({"error": reason})
        with contextlib.suppress(OSError):
            connection.respond(status, body, headers=headers or [])
