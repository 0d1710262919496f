"""The table of the peer: path → handler. A row is loaded when it is first asked for.

A handler has the connection to itself, on a worker thread, and may block; it never blocks longer than the time
limits of the connection's socket. It answers with `connection.respond`, or takes the socket over (`take_over`) for
a protocol of its own; a connection that was taken over is closed when the handler returns.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from probe.peer.connection import PeerConnection, Request

Handler = Callable[[PeerConnection, Request], None]


class Route(NamedTuple):
    """`handler` is `module:function`. A test needs admission and counts against the limits of its address."""

    handler: str
    verbs: tuple[str, ...] = ("GET",)
    is_test: bool = False


ROUTES: dict[str, Route] = {
    "/v1/peer": Route("probe.peer.information:peer"),
    "/healthz": Route("probe.peer.information:healthz"),
    "/metrics": Route("probe.peer.information:metrics"),
    "/v1/test": Route("probe.peer.tests:open_test", ("POST",)),
    "/v1/download": Route("probe.peer.download:download", ("GET",), is_test=True),
    "/v1/upload": Route("probe.peer.upload:upload", ("POST",), is_test=True),
    "/v1/ticket": Route("probe.peer.tickets:ticket"),
    "/ndt/v7/download": Route("probe.ndt7.server:download", is_test=True),
    "/ndt/v7/upload": Route("probe.ndt7.server:upload", is_test=True),
    **{
        f"{place}{name}{suffix}": Route(f"probe.librespeed.endpoints:{function}", verbs)
        for place in ("/", "/backend/")  # where LibreSpeed's pages look for them, as PHP and as Go serve them
        for suffix in ("", ".php")
        for name, function, verbs in (
            ("garbage", "garbage", ("GET",)),
            ("empty", "empty", ("GET", "POST")),
            ("getIP", "get_ip", ("GET",)),
        )
    },
}


def load(route: Route) -> Handler:
    """Import the handler of a row."""
    module, _, name = route.handler.partition(":")
    handler: Handler = getattr(importlib.import_module(module), name)
    return handler
