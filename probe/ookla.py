"""The method `ookla`: speedtest-cli, against speedtest.net or a Speedtest Mini server. The one file that knows it.

Its last release is of 2021; it under-reports fast lines (sivel/speedtest-cli 649, 716, 730) and its ping includes
connecting, so of what it says only the goodput is kept, with low confidence.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import time
import warnings
from typing import Any
from urllib.parse import urlsplit

from measurement.vocabulary import Failure, Operation, StopReason, ThroughputMethod
from probe.failures import NetworkFailure, as_network_failure
from probe.target import Target, parse
from probe.throughput.foreign import Transfer, as_result, attended
from probe.throughput.plan import Direction, Listener, Measured, Plan

PUBLIC_HOSTS = ("speedtest.net", "www.speedtest.net")
REMEMBERED_S = 60
"""Both directions of a test use one server; its list is asked once."""
DOWNLOAD_SIZES = (350, 500, 750, 1000, 1500, 2000, 2500, 3000, 3500, 4000)
UPLOAD_SIZES = (262_144, 524_288, 1_048_576, 7_340_032)
# What speedtest.net's configuration says to most; a Mini server needs no Internet, so it is not asked for it.
MINI = {"client": {"ip": "", "lat": "0", "lon": "0", "isp": "", "country": ""}, "ignore_servers": [], "upload_max": 200}
_FAILURES = (
    ("ConfigRetrievalError", Failure.HTTP_REQUEST_FAILED, Operation.CONNECT),
    ("ServersRetrievalError", Failure.HTTP_REQUEST_FAILED, Operation.CONNECT),
    ("SpeedtestMiniConnectFailure", Failure.CONNECTION_REFUSED, Operation.CONNECT),
    ("InvalidSpeedtestMiniServer", Failure.PROTOCOL_ERROR, Operation.CONNECT),
    ("SpeedtestBestServerFailure", Failure.HOST_UNREACHABLE, Operation.CONNECT),
)


class _Deadline:
    """What the library asks whether to stop, by the name it knows."""

    def __init__(self) -> None:
        self.at = float("inf")

    def isSet(self) -> bool:  # noqa: N802 the library's name
        return time.monotonic() > self.at


_chosen: dict[str, tuple[Any, _Deadline]] = {}
"""Sessions by the server that speedtest.net's list gave; as many as there are servers near."""


@functools.cache
def _library() -> Any:
    # At import it takes standard output's descriptor for itself and closes it in the end; it may have these instead.
    aside = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(aside), contextlib.redirect_stderr(aside):
        warnings.simplefilter("ignore")
        import speedtest
    return speedtest


@functools.lru_cache(maxsize=4)
def _session(url: str, is_public: bool, timeout_s: float, minute: int) -> tuple[Any, _Deadline]:
    """Choose a server; `minute` only tells the memory when to forget."""
    del minute
    library, deadline = _library(), _Deadline()
    kind = library.Speedtest if is_public else _mini_class(library)
    session = kind(timeout=timeout_s, secure=is_public or urlsplit(url).scheme == "https", shutdown_event=deadline)
    session.get_best_server(None if is_public else session.set_mini_server(url))
    return session, deadline


def _mini_class(library: Any) -> Any:
    class Mini(library.Speedtest):  # type: ignore[misc]
        """A session that asks nobody but the Mini server."""

        def get_config(self) -> dict[str, Any]:
            sizes = {"download": list(DOWNLOAD_SIZES), "upload": list(UPLOAD_SIZES)}
            self.config.update(MINI | {"sizes": sizes, "counts": {"download": 4, "upload": 50}})
            self.config.update({"threads": {"download": 8, "upload": 4}, "length": {"download": 10, "upload": 10}})
            return dict(self.config)

    return Mini


def download_sizes(budget: int | None, count: int) -> list[int]:
    """Return the picture sizes whose files (about 2 bytes a pixel, `count` times each) fit a budget.

    Examples
    --------
    >>> download_sizes(5_000_000, 1)
    [350, 500, 750, 1000]
    """
    if budget is None:
        return list(DOWNLOAD_SIZES)
    kept, spent = [], 0
    for size in DOWNLOAD_SIZES:
        spent += 2 * size * size * count
        if spent > budget:
            break
        kept.append(size)
    return kept or [DOWNLOAD_SIZES[0]]


def server(target: Target, timeout_s: float) -> Target:
    """Return the server that speedtest.net's list names as the nearest; a Mini server is its own.

    Raises
    ------
    NetworkFailure
        Where the list cannot be had.
    """
    if target.host not in PUBLIC_HOSTS:
        return target
    library = _library()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session = _session(target.url, True, timeout_s, int(time.monotonic() / REMEMBERED_S))
    except library.SpeedtestException as error:
        raise _failure(error) from None
    except OSError as error:
        raise as_network_failure(error, Operation.CONNECT) from None
    best = urlsplit(str(session[0].best["url"]))
    found = parse(f"{best.scheme}://{best.netloc}", target.authority)
    _chosen[found.url] = session
    return found


def measure(direction: Direction, target: Target, plan: Plan, listener: Listener) -> Measured:
    """Measure one direction; never longer than the plan's time and its timeouts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library is of 2021: it warns on newer Pythons
            measured = attended(lambda: _measure(direction, target, plan), direction, listener)
            gc.collect()  # it leaves connections to the collector, which would warn of them at a worse moment
            return measured
    except OSError as error:
        return Measured(None, as_network_failure(error, Operation.TRANSFER))


def _measure(direction: Direction, target: Target, plan: Plan) -> Measured:
    library = _library()
    try:
        target = server(target, plan.timeout_s)
        minute = int(time.monotonic() / REMEMBERED_S)
        session, deadline = _chosen.get(target.url) or _session(target.url, False, plan.timeout_s, minute)
        deadline.at = time.monotonic() + plan.duration_s + plan.timeout_s
        transfer = _transfer(session, direction, plan)
    except NetworkFailure as failure:
        return Measured(None, failure)
    except library.SpeedtestException as error:
        return Measured(None, _failure(error))
    result = as_result(ThroughputMethod.OOKLA, transfer, StopReason.TIME)
    if result is None:
        return Measured(None, NetworkFailure(Failure.TRANSFER_STALLED, Operation.TRANSFER, "Nothing was transferred."))
    return Measured(result)


def _transfer(session: Any, direction: Direction, plan: Plan) -> Transfer:
    way = {Direction.DOWNLINK: "download", Direction.UPLINK: "upload"}[direction]
    session.config["length"][way] = max(1, round(plan.duration_s))
    if plan.stream_count is not None:
        session.config["threads"][way] = plan.stream_count
    if direction is Direction.DOWNLINK:
        session.config["sizes"][way] = download_sizes(plan.byte_budget, session.config["counts"][way])
    elif plan.byte_budget is not None:
        # It sends the sizes in order, `upload_max` of them at most.
        smallest = session.config["sizes"][way][0]
        session.config["upload_max"] = max(1, min(session.config["upload_max"], plan.byte_budget // smallest))
    started = time.monotonic()
    rate = getattr(session, way)()
    seconds = time.monotonic() - started
    results = session.results
    count = results.bytes_received if direction is Direction.DOWNLINK else results.bytes_sent
    threads = min(256, max(1, session.config["threads"][way]))
    return Transfer(int(count), seconds, stream_count=threads, goodput_bps=float(rate))


def _failure(error: Exception) -> NetworkFailure:
    name = type(error).__name__
    for known, failure, operation in _FAILURES:
        if name == known:
            return NetworkFailure(failure, operation, f"speedtest-cli: {error}")
    return NetworkFailure(Failure.UNKNOWN_FAILURE, Operation.TRANSFER, f"speedtest-cli: {name}: {error}")
