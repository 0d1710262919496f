"""M-Lab's Locate v2: which of their servers to test against, with the token that it asks for."""

from __future__ import annotations

import functools
import http.client
import time
from collections import OrderedDict
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from measurement.errors import ConfigError
from measurement.vocabulary import Failure, Operation
from probe.failures import NetworkFailure, as_network_failure
from probe.ndt7.spec import DOWNLOAD_PATH, UPLOAD_PATH
from probe.target import Target, parse
from probe.throughput.connect import tls_context
from probe.version import AGENT

HOST = "locate.measurementlab.net"
NEAREST_PATH = "/v2/nearest/ndt/ndt7"
ANSWER_MOST_BYTES = 262_144
PATHS = (DOWNLOAD_PATH, UPLOAD_PATH)
_HTTP = {"ws": "http", "wss": "https"}
REMEMBERED_COUNT = 8
REMEMBERED_S = 60
"""Both directions of a test go to the same server; Locate limits how often one asks, and a token soon ends."""


class _Location(msgspec.Struct):
    city: str = ""
    country: str = ""


class _Result(msgspec.Struct):
    machine: str
    urls: dict[str, str]
    location: _Location = msgspec.field(default_factory=_Location)


class _Answer(msgspec.Struct):
    results: list[_Result] = []


class Service(NamedTuple):
    """Where to connect, and the query that proves that Locate sent us. The query is a secret: never log it."""

    target: Target
    query: str


def is_locate(target: Target) -> bool:
    """Does the target name a Locate service rather than a server?"""
    return target.host == HOST or target.path.startswith("/v2/nearest")


_queries: OrderedDict[str, dict[str, str]] = OrderedDict()


def server(target: Target, timeout_s: float) -> Target:
    """Return the server to test against: the target itself, or the nearest by Locate where the target is a Locate.

    Raises
    ------
    NetworkFailure
        Where Locate does not answer, or M-Lab has no capacity (`server_busy`).
    """
    if not is_locate(target):
        return target
    for result in nearest(target, timeout_s, int(time.monotonic() / REMEMBERED_S)):
        for scheme in ("wss", "ws") if target.is_tls else ("ws", "wss"):
            urls = {path: result.urls.get(f"{scheme}://{path}", "") for path in PATHS}
            found = _server(urls, target.authority)
            if found is not None:
                _queries[found.url] = {path: urlsplit(url).query for path, url in urls.items()}
                while len(_queries) > REMEMBERED_COUNT:
                    _queries.popitem(last=False)
                return found
    raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.RESOLVE, "Locate names no server for this test.")


def service(target: Target, path: str, timeout_s: float) -> Service:
    """Return the server of a subtest with the query that Locate gave for it.

    Raises
    ------
    NetworkFailure
        As `server`.
    """
    found = server(target, timeout_s)
    return Service(found, _queries.get(found.url, {}).get(path, ""))


def _server(urls: dict[str, str], authority: str | None) -> Target | None:
    """Return the one server that both URLs name; `None` where they are none of ndt7's."""
    parts = {path: urlsplit(url) for path, url in urls.items()}
    if any(part.path != path or part.scheme not in ("ws", "wss") for path, part in parts.items()):
        return None
    if len({part.netloc for part in parts.values()}) != 1:
        return None
    part = parts[PATHS[0]]
    try:
        return parse(f"{_HTTP[part.scheme]}://{part.netloc}", authority)
    except ConfigError:
        return None


@functools.lru_cache(maxsize=8)
def nearest(target: Target, timeout_s: float, minute: int) -> list[_Result]:
    """Ask Locate once a minute; `minute` only tells the memory when to forget."""
    del minute
    host, port = target.socket_address
    connection: http.client.HTTPConnection
    if target.is_tls:
        connection = http.client.HTTPSConnection(target.host, port, timeout=timeout_s, context=tls_context(target))
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request(
            "GET", target.path or NEAREST_PATH, headers={"User-Agent": AGENT, "Accept": "application/json"}
        )
        answer = connection.getresponse()
        body = answer.read(ANSWER_MOST_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise as_network_failure(error, Operation.RESOLVE) from None
    finally:
        connection.close()
    if answer.status in (204, 429, 503):
        raise NetworkFailure(Failure.SERVER_BUSY, Operation.RESOLVE, "M-Lab has no capacity now.")
    if answer.status != 200:
        raise NetworkFailure(Failure.HTTP_REQUEST_FAILED, Operation.RESOLVE, f"Locate answered {answer.status}.")
    try:
        results = msgspec.json.decode(body[:ANSWER_MOST_BYTES], type=_Answer).results
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise NetworkFailure(Failure.PROTOCOL_ERROR, Operation.RESOLVE, "Locate's answer is not understood.") from None
    if not results:
        raise NetworkFailure(Failure.SERVER_BUSY, Operation.RESOLVE, "Locate names no server.")
    return results
