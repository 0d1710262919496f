"""One table, three media types: JSON, CSV, GeoJSON, chosen by Accept or `?format=`; with ETag and pages."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from collector.replies import Problem

JSON, CSV, GEOJSON = "application/json", "text/csv", "application/geo+json"
_FORMATS = {"json": JSON, "csv": CSV, "geojson": GEOJSON}
MOST_ROWS = 10_000
Row = dict[str, Any]


def choose(request: Request, offered: Sequence[str]) -> str:
    """Return the media type to answer with.

    Raises
    ------
    Problem
        `not-acceptable`, or `parameter-invalid` for an unknown `format`.
    """
    wanted = request.query_params.get("format")
    if wanted is not None:
        if _FORMATS.get(wanted) not in offered:
            names = ", ".join(name for name, media in _FORMATS.items() if media in offered)
            raise Problem("parameter-invalid", f"format: Invalid format {wanted[:40]!r}. One of {names}.")
        return _FORMATS[wanted]
    accept = request.headers.get("accept", "*/*")[:1000] or "*/*"
    best, best_weight = None, 0.0
    for part in accept.split(","):
        media, *settings = [piece.strip() for piece in part.split(";")]
        weight = next((_weight(s) for s in settings if s.startswith("q=")), 1.0)
        for offer in offered:
            if weight > best_weight and media.lower() in (offer, "*/*", offer.split("/")[0] + "/*"):
                best, best_weight = offer, weight
                break
    if best is None:
        raise Problem("not-acceptable", f"One of {', '.join(offered)}.")
    return best


def _weight(text: str) -> float:
    try:
        return float(text[2:])
    except ValueError:
        return 0.0


def integer(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number of the query.

    Raises
    ------
    Problem
        `parameter-invalid`.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 16) or not low <= int(text) <= high:
        raise Problem("parameter-invalid", f"{name}: Invalid number {text[:40]!r}. {low} to {high}.")
    return int(text)


def unknown_parameters(request: Request, known: Iterable[str]) -> None:
    """Refuse a parameter that means nothing here: a filter misspelt must not look like an answer."""
    strange = sorted(set(request.query_params) - set(known))
    if strange:
        raise Problem("parameter-invalid", f"{strange[0][:40]}: Unknown parameter.")


def page(
    request: Request,
    rows: Sequence[Row],
    name: str,
    columns: Sequence[str],
    media: str,
    geometry: Callable[[Row], Any] | None = None,
) -> Response:
    """Answer with a page of `rows` under `name`."""
    limit = integer(request, "limit", 1000, 1, MOST_ROWS)
    start = integer(request, "after", 0, 0, 2**40)
    shown = rows[start : start + limit]
    following = str(start + limit) if start + limit < len(rows) else None
    if media == CSV:
        body = _csv(shown, columns)
    elif media == GEOJSON and geometry is not None:
        features = [{"type": "Feature", "properties": row, "geometry": geometry(row)} for row in shown]
        body = msgspec.json.encode({"type": "FeatureCollection", "features": features})
    else:
        body = msgspec.json.encode({name: shown, "count": len(rows), "next": following})
    headers = {"vary": "Accept", "haidang-count": str(len(rows))}
    if following is not None:
        headers["link"] = f'<{request.url.include_query_params(after=following)}>; rel="next"'
    return tagged(request, body, media, headers)


def tagged(request: Request, body: bytes, media: str, headers: Mapping[str, str]) -> Response:
    """Answer with an ETag, or with 304 where the caller has this body already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    everything = {**headers, "etag": tag, "cache-control": "public, max-age=60"}
    known = [t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=everything)
    return Response(body, headers=everything, media_type=media)


def _csv(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return stream.getvalue().encode()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula is quoted; numbers and dates stay as they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
