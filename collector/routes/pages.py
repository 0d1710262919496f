"""The API's own description: `/v1/openapi.json`, and a page that reads it without the internet."""

from __future__ import annotations

from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from collector.bodies import answer
from collector.openapi import describe, page
from collector.routes import Route
from collector.service import Service


def describing(others: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return the routes that describe `others` and themselves."""
    json = cache(lambda: answer(describe(routes)))
    html = cache(lambda: page(routes))

    async def get_openapi(request: Request, service: Service) -> Response:
        return Response(json(), media_type="application/json")

    async def get_page(request: Request, service: Service) -> Response:
        return HTMLResponse(html())

    people = "This description for people", "Bản mô tả cho người đọc"
    own = (
        Route("GET", "/v1/openapi.json", get_openapi, "This description", "Bản mô tả này"),
        Route("GET", "/v1/", get_page, *people, media=("text/html",)),
    )
    routes = (*others, *own)
    return own
