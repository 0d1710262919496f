"""The API's own description: `/v1/openapi.json`, and a page that reads it without the internet."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from collector.bodies import answer
from collector.routes import Route
from collector.service import Service


async def get_openapi(request: Request, service: Service) -> Response:
    """Return the OpenAPI 3.1 description."""
    from collector.openapi import describe

    return Response(answer(describe()), media_type="application/json")


async def get_page(request: Request, service: Service) -> Response:
    """Return the description for people."""
    from collector.openapi import page

    return HTMLResponse(page())


ROUTES = (
    Route("GET", "/v1/openapi.json", get_openapi, "This description", "Bản mô tả này"),
    Route("GET", "/v1/", get_page, "This description for people", "Bản mô tả cho người đọc", media=("text/html",)),
)
