"""The doors of the collector, one topic a module; each has `ROUTES`; `pages` describes the others'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from collector.access import Role
from collector.service import Service

Handler = Callable[[Request, Service], Awaitable[Response]]


class Parameter(NamedTuple):
    """A parameter of the path or the query: name, place, JSON Schema, text."""

    name: str
    place: str
    schema: dict[str, Any]
    text: str
    is_required: bool = False


class Route(NamedTuple):
    """One door: what it is called, who may, what goes in and comes out."""

    method: str
    path: str
    handler: Handler
    summary_en: str
    summary_vi: str
    role: Role | None = None
    parameters: tuple[Parameter, ...] = ()
    takes: Any = None
    gives: Any = None
    media: tuple[str, ...] = ("application/json",)
    status: int = 200
    refusals: tuple[str, ...] = ()
