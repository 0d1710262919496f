"""Reading a request's body: bounded while it comes, decompressed within bounds."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from collector.intake import IntakeError, expand
from collector.replies import Problem

T = TypeVar("T")
JSON_TYPES = ("application/json", "application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain", "")


async def receive(request: Request, limit: int) -> bytes:
    """Return the body as it came.

    Raises
    ------
    Problem
        `body-too-large`, as soon as that is known; `body-empty` where the caller went away.
    """
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise Problem("body-too-large", f"{limit} bytes at most")
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise Problem("body-too-large", f"{limit} bytes at most")
            parts.append(part)
    except ClientDisconnect:
        raise Problem("body-empty", "The connection ended within the body.") from None
    return b"".join(parts)


def check_media(request: Request) -> None:
    """Refuse a Content-Type that is not JSON."""
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media not in JSON_TYPES:
        raise Problem("media-unknown", media[:60])


async def receive_json(request: Request, kind: type[T], limit: int = 64 << 10) -> T:
    """Return a small JSON body of one kind.

    Raises
    ------
    Problem
        `content-invalid` with the failing path.
    """
    check_media(request)
    body = await receive(request, limit)
    try:
        plain = expand(body, request.headers.get("content-encoding", ""), limit)
        return msgspec.json.decode(plain, type=kind)
    except IntakeError as error:
        raise Problem(error.code, error.detail) from None
    except msgspec.ValidationError as error:
        raise Problem("content-invalid", str(error)[:300]) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Problem("json-invalid", str(error)[:300]) from None


def answer(content: Any) -> bytes:
    """Encode an answer."""
    return msgspec.json.encode(content)
