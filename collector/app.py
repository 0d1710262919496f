"""The ASGI application: routes, refusals, the clock, the site."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as Door
from starlette.staticfiles import StaticFiles

from collector.replies import Problem, refuse
from collector.routes import Route, health, pages, probes, published, records
from collector.service import Service

_WORKING: tuple[Route, ...] = (*records.ROUTES, *probes.ROUTES, *published.ROUTES, *health.ROUTES)
ROUTES = (*_WORKING, *pages.describing(_WORKING))
_LOG = logging.getLogger("collector")
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"))
# Every method comes to our doors; else one that a door lacks would fall through to the site below.
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_STATUS_CODES = {404: "not-found", 405: "method-not-allowed"}


def _finish(response: Response, service: Service, route: str) -> Response:
    """Add what every answer carries. `Haidang-Clock` is our wall clock, by which probes correct theirs."""
    clock = service.now().isoformat(timespec="microseconds").replace("+00:00", "Z")
    response.raw_headers.append((b"haidang-clock", clock.encode()))
    held = {name for name, _ in response.raw_headers}
    response.raw_headers.extend(header for header in _HEADERS if header[0] not in held)
    service.metrics.count("haidang_requests_total", route=route, status=str(response.status_code))
    return response


def _endpoint(route: Route, service: Service) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            response = await route.handler(request, service)
        except Problem as problem:
            service.metrics.count("haidang_requests_refused_total", code=problem.code)
            response = refuse(request, problem)
        except Exception:
            _LOG.exception("%s %s failed", route.method, route.path)
            service.metrics.count("haidang_requests_refused_total", code="internal-error")
            response = refuse(request, Problem("internal-error"))
        return _finish(response, service, route.path)

    return endpoint


async def _tick(service: Service) -> None:
    """Once a second: follow token changes of other processes; now and then write down who was heard."""
    for beat in itertools.count():
        await asyncio.sleep(1)
        try:
            service.access.refresh()
            if beat % 15 == 0:
                await asyncio.get_running_loop().run_in_executor(service.queries, service.presence.flush)
        except sqlite3.Error as error:
            _LOG.warning("the catalogue is busy: %s", error)


def build(service: Service) -> Starlette:
    """Build the application around a service."""
    by_path: dict[str, list[Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, []).append(route)
    doors: list[BaseRoute] = [
        Door(path, _dispatch(routes, service), methods=_METHODS) for path, routes in by_path.items()
    ]
    if service.site is not None:
        # The API's bodies are small or already chosen by the caller; the site's scripts shrink to a fourth.
        doors.append(Mount("/", GZipMiddleware(StaticFiles(directory=service.site, html=True), compresslevel=5)))

    async def failed(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        code = _STATUS_CODES.get(status, "internal-error")
        service.metrics.count("haidang_requests_refused_total", code=code)
        extra = {"allow": error.headers["Allow"]} if isinstance(error, HTTPException) and error.headers else {}
        return _finish(refuse(request, Problem(code, **extra)), service, "other")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticker = asyncio.create_task(_tick(service))
        yield
        ticker.cancel()
        service.close()

    return Starlette(
        routes=doors, exception_handlers={HTTPException: failed, 404: failed, 405: failed}, lifespan=lifespan
    )


def _dispatch(routes: list[Route], service: Service) -> Callable[[Request], Awaitable[Response]]:
    """Answer several methods at one path."""
    endpoints = {route.method: _endpoint(route, service) for route in routes}
    if "GET" in endpoints:
        endpoints["HEAD"] = endpoints["GET"]

    async def dispatch(request: Request) -> Response:
        if request.method not in endpoints:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(endpoints))})
        return await endpoints[request.method](request)

    return dispatch
