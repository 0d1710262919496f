"""How the collector is: `/healthz` and `/metrics`."""

from __future__ import annotations

import asyncio

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from collector.bodies import answer
from collector.callers import address_of
from collector.exposition import page_of
from collector.replies import Problem
from collector.routes import Route
from collector.service import Service
from measurement.record import SCHEMA_VERSION


class Health(msgspec.Struct):
    """Whether records are taken now."""

    status: str
    schema_version: int
    now: str


async def get_health(request: Request, service: Service) -> Response:
    """Say whether records are taken now: 200 or 503."""
    try:
        service.check_room()
        service.archive.connection.execute("SELECT 1 FROM settings LIMIT 1").fetchone()
    except Problem as problem:
        raise problem from None
    now = service.now().isoformat().replace("+00:00", "Z")
    return Response(answer(Health("ok", SCHEMA_VERSION, now)), media_type="application/json")


async def get_metrics(request: Request, service: Service) -> Response:
    """Return every metric in Prometheus' text format."""
    wait = service.by_address.wait_s(address_of(request, service))
    if wait:
        raise Problem("too-many-requests", retry_after_s=wait)
    page = await asyncio.get_running_loop().run_in_executor(service.queries, page_of, service)
    return Response(page, headers={"content-type": CONTENT_TYPE_LATEST})


ROUTES = (
    Route("GET", "/healthz", get_health, "Health", "Tình trạng", None, (), None, Health, refusals=("storage-full",)),
    Route(
        "GET",
        "/metrics",
        get_metrics,
        "Prometheus metrics",
        "Chỉ số Prometheus",
        media=("text/plain",),
        refusals=("too-many-requests",),
    ),
)
