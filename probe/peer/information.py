"""What the peer tells about itself: `/v1/peer`, `/healthz`, `/metrics`."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from probe.peer.connection import PeerConnection, Request
from probe.version import AGENT

METHODS = {"/v1/download": "http", "/ndt/v7/download": "ndt7", "/garbage": "librespeed"}
"""A method is advertised where its route is in the table."""


def peer(connection: PeerConnection, request: Request) -> None:
    """Tell name, version, the reflector's port, methods and load."""
    from probe.peer.router import ROUTES

    this, settings = connection.peer, connection.peer.settings
    about = {
        "name": settings.name,
        "version": AGENT,
        "site": settings.site,
        "asn": settings.asn,
        "is_domestic": settings.is_domestic,
        "stamp_port": this.stamp_port,
        "methods": [method for path, method in METHODS.items() if path in ROUTES],
        "tests_running": this.admission.running_count,
        "tests_waiting": this.admission.waiting_count,
        "tests_at_most": settings.limits.tests,
    }
    connection.respond(HTTPStatus.OK, msgspec.json.encode(about))


def healthz(connection: PeerConnection, request: Request) -> None:
    """Say that the peer serves."""
    connection.respond(HTTPStatus.OK, b"ok\n", "text/plain; charset=utf-8")


def metrics(connection: PeerConnection, request: Request) -> None:
    """Answer Prometheus."""
    connection.respond(HTTPStatus.OK, connection.peer.metrics.exposition(), "text/plain; version=0.0.4; charset=utf-8")
