"""Results of `iperf3 --json`, TCP and UDP, forward and reverse.

Of UDP, `end.sum` is what was *sent*: what arrived is `sum_received`, else what was sent less its loss.
"""

from __future__ import annotations

from typing import Any

from analysis.importers.account import Account
from analysis.importers.options import Options
from analysis.importers.results import Builder, each, number, part, scaled, text
from measurement.record import Record, Server, ThroughputResult
from measurement.vocabulary import Failure, ThroughputMethod

NAME = "iperf3"
_FAILURES = (
    ("refused", Failure.CONNECTION_REFUSED),
    ("busy", Failure.SERVER_BUSY),
    ("timed out", Failure.GENERIC_TIMEOUT_ERROR),
    ("unreachable", Failure.NETWORK_UNREACHABLE),
    ("reset", Failure.CONNECTION_RESET),
    ("resolve", Failure.DNS_NXDOMAIN_ERROR),
    ("unknown host", Failure.DNS_NXDOMAIN_ERROR),
)


def recognises(head: bytes) -> bool:
    """Say whether a document begins as a result of iperf3."""
    return b'"start"' in head and (b'"test_start"' in head or b'"connected"' in head or b'"connecting_to"' in head)


def document(name: str, content: bytes, options: Options, account: Account) -> list[Record]:
    """Read results; one that ended with an error is a failed record."""
    build, made = Builder(NAME, ThroughputMethod.IPERF3, options, account), []
    for raw in each(content, account):
        started = build.started(part(raw, "start", "timestamp", "timesecs"))
        if started is None:
            continue
        result = _throughput(build, raw, account)
        failure = _failure(raw.get("error"))
        if result is None and failure is None:
            account.refuse_rows("no result and no error in it")
            continue
        is_reverse = bool(part(raw, "start", "test_start", "reverse"))
        host = part(raw, "start", "connecting_to", "host")
        made.append(
            build.record(
                [NAME, part(raw, "start", "cookie") or raw],
                started,
                downlink=result if is_reverse else None,
                uplink=None if is_reverse else result,
                server=Server(host=text(host)),
                failure=failure,
            )
        )
    return made


def _failure(error: Any) -> Failure | None:
    if not isinstance(error, str):
        return None
    return next((failure for word, failure in _FAILURES if word in error.lower()), Failure.UNKNOWN_FAILURE)


def _throughput(build: Builder, raw: dict[str, Any], account: Account) -> ThroughputResult | None:
    end, test = part(raw, "end"), part(raw, "start", "test_start")
    received = part(end, "sum_received")
    rate, counted = number(part(received, "bits_per_second")), number(part(received, "bytes"))
    if rate is None and str(part(test, "protocol")).upper() == "UDP":
        lost = scaled(part(end, "sum", "lost_percent"), 0.01)
        sent = number(part(end, "sum", "bits_per_second"))
        if sent is not None and lost is None:
            account.refuse_values("goodput_bps", "iperf3's UDP sum is the rate sent, and it tells no loss")
        rate = None if sent is None or lost is None else sent * max(0.0, 1 - lost)
    minimum = scaled(part(_first(part(end, "streams")), "sender", "min_rtt"), 1e-3)
    return build.throughput(
        rate,
        bytes_count=counted,
        duration_ms=scaled(part(received, "seconds"), 1000),
        stream_count=number(part(test, "num_streams")),
        rtt_min_ms=minimum or None,
    )


def _first(listed: Any) -> Any:
    return listed[0] if isinstance(listed, list) and listed else None
