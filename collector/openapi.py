"""OpenAPI 3.1 of the collector, made from the table of routes and the types they take and give."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec

from collector.replies import REFUSALS
from collector.routes import Route
from measurement.record import SCHEMA_VERSION

_REF = "#/components/schemas/{name}"
PROBLEM = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457), in the language that Accept-Language prefers.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(REFUSALS)},
        "detail": {"type": "string"},
    },
}


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the description of routes."""
    kinds = list(dict.fromkeys(kind for route in routes for kind in (route.takes, route.gives) if kind is not None))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    by_kind = dict(zip(map(str, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hải Đăng collector",
            "version": str(SCHEMA_VERSION),
            "description": "Records of 4G and 5G quality in; areas, ratings and samples out. docs/api.md says more.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components | {"Problem": PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, by_kind: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary_en,
        "description": f"{route.summary_vi}.",
        "security": [] if route.role is None else [{"token": []}],
        "responses": _responses(route, by_kind),
    }
    if route.role is not None:
        operation["x-role"] = route.role.value
    if route.parameters:
        operation["parameters"] = [
            {"name": p.name, "in": p.place, "required": p.is_required, "schema": p.schema, "description": p.text}
            for p in route.parameters
        ]
    if route.takes is not None:
        content = {"application/json": {"schema": by_kind[str(route.takes)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(route: Route, by_kind: dict[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": route.summary_en}
    if route.status != 204:
        schema = {} if route.gives is None else {"schema": by_kind[str(route.gives)]}
        good["content"] = {media: schema if media == "application/json" else {} for media in route.media}
    responses = {str(route.status): good}
    codes = set(route.refusals) | {"internal-error"}
    if route.role is not None:
        codes |= {"token-missing", "role-too-low", "too-many-requests"}
    if route.takes is not None:
        codes |= {"json-invalid", "content-invalid", "body-too-large", "media-unknown", "encoding-broken"}
    for status in sorted({REFUSALS[code].status for code in codes}):
        names = sorted(code for code in codes if REFUSALS[code].status == status)
        responses[str(status)] = {
            "description": " ".join(REFUSALS[name].en for name in names),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return responses


_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2733}
h1{font-size:1.6rem}details{border:1px solid #d5dde5;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}code{background:#f2f5f8;padding:.1rem .3rem;border-radius:3px}
.m{display:inline-block;min-width:4.5rem;font-weight:600}.get{color:#0b6b3a}.post{color:#8a4b00}.patch{color:#5b3b8c}
.delete{color:#a1201b}.r{float:right;color:#5c6b7a}pre{overflow:auto;background:#f2f5f8;padding:.6rem}
table{border-collapse:collapse}td,th{border:1px solid #d5dde5;padding:.2rem .5rem;text-align:left}"""


def page(routes: Sequence[Route]) -> str:
    """Return the description of routes as one page that loads nothing."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Hải Đăng API</title><style>{_STYLE}</style><h1>Hải Đăng API</h1>",
        "<p>Machine-readable: <a href=openapi.json>openapi.json</a> (OpenAPI 3.1). Send a token as "
        "<code>Authorization: Bearer …</code>. Errors come in English or Vietnamese by Accept-Language. "
        "<span lang=vi>Bản mô tả máy đọc được: openapi.json; lỗi trả về bằng tiếng Việt hoặc tiếng Anh.</span></p>",
    ]
    components = describe(routes)["components"]["schemas"]
    parts.extend(_details(route) for route in routes)
    parts.append("<h2>Types</h2>")
    for name, schema in components.items():
        text = escape(msgspec.json.format(msgspec.json.encode(schema)).decode())
        parts.append(f"<details id='{escape(name)}'><summary>{escape(name)}</summary><pre>{text}</pre></details>")
    return "\n".join(parts)


def _details(route: Route) -> str:
    method = route.method.lower()
    rows = "".join(
        f"<tr><td><code>{escape(p.name)}</code><td>{p.place}<td>{escape(p.text)}{' (needed)' if p.is_required else ''}"
        for p in route.parameters
    )
    refusals = "".join(f"<li>{REFUSALS[c].status} <code>{c}</code>: {escape(REFUSALS[c].en)}" for c in route.refusals)
    table = f"<table><tr><th>Parameter<th>in<th>meaning{rows}</table>" if rows else ""
    kinds = " ".join(
        f"{word}: <code>{escape(getattr(kind, '__name__', str(kind)))}</code>."
        for word, kind in (("Takes", route.takes), ("Gives", route.gives))
        if kind is not None
    )
    who = route.role.value if route.role else "anyone"
    return (
        f"<details><summary><span class='m {method}'>{route.method}</span><code>{escape(route.path)}</code> "
        f"{escape(route.summary_en)} · <span lang=vi>{escape(route.summary_vi)}</span><span class=r>{who}</span>"
        f"</summary><p>{kinds} Answers {route.status} as {', '.join(route.media)}.</p>{table}"
        f"<ul>{refusals}</ul></details>"
    )
