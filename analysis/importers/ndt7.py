"""ndt7: the server's results as M-Lab archives them, and the summaries of its client.

Goodput is BytesAcked (downlink) or BytesReceived (uplink) over ElapsedTime of the last server measurement.
"""

from __future__ import annotations

from typing import Any

from analysis.importers.account import Account
from analysis.importers.options import Options
from analysis.importers.results import Builder, each, number, part, scaled, text
from measurement.record import Record, Server, ThroughputResult
from measurement.vocabulary import ThroughputMethod

NAME = "ndt7"
_UNITS = {
    "mbit/s": 1e6,
    "kbit/s": 1e3,
    "bit/s": 1.0,
    "gbit/s": 1e9,
    "ms": 1.0,
    "milliseconds": 1.0,
    "s": 1000.0,
    "%": 0.01,
}


def is_server_result(head: bytes) -> bool:
    """Say whether a document begins as ndt-server archives an ndt7 test."""
    return b'"ServerMeasurements"' in head or (b'"GitShortCommit"' in head and b'"Control"' not in head)


def is_client_summary(head: bytes) -> bool:
    """Say whether a document begins as a summary of ndt7-client."""
    return b'"ServerFQDN"' in head or (b'"Server"' in head and b'"downloadRetrans"' in head)


def is_ndt5(head: bytes) -> bool:
    """Say whether a document begins as a result of the older protocol."""
    return b'"GitShortCommit"' in head and b'"Control"' in head


def is_annotation(head: bytes) -> bool:
    """Say whether a document begins as one of M-Lab's annotations."""
    return b'"UUID"' in head and b'"Timestamp"' in head and b'"Machine"' in head


def server_result(name: str, content: bytes, options: Options, account: Account) -> list[Record]:
    """Read results of the server: each is one direction."""
    build, made = Builder(NAME, ThroughputMethod.NDT7, options, account), []
    for raw in each(content, account):
        for side in ("Download", "Upload"):
            measured = raw.get(side)
            if not isinstance(measured, dict):
                continue
            started = build.started(measured.get("StartTime") or raw.get("StartTime"))
            result = _last(build, measured, side)
            if started is None:
                continue
            if result is None:
                account.refuse_rows("no server measurement in it")
                continue
            both = (result, None) if side == "Download" else (None, result)
            made.append(build.record([NAME, measured.get("UUID") or measured], started, *both))
    return made


def _last(build: Builder, measured: dict[str, Any], side: str) -> ThroughputResult | None:
    listed = measured.get("ServerMeasurements")
    rows = [row for row in listed if isinstance(part(row, "TCPInfo"), dict)] if isinstance(listed, list) else []
    if not rows:
        return None
    info = rows[-1]["TCPInfo"]
    counted = number(info.get("BytesAcked" if side == "Download" else "BytesReceived"))
    elapsed_us = number(info.get("ElapsedTime"))
    if counted is None or not elapsed_us or elapsed_us <= 0:
        return None
    sent, again = number(info.get("BytesSent")), number(info.get("BytesRetrans"))
    return build.throughput(
        counted * 8e6 / elapsed_us,
        bytes_count=counted,
        duration_ms=elapsed_us / 1000,
        stream_count=1,
        rtt_min_ms=scaled(info.get("MinRTT"), 1e-3) or None,
        retransmit_ratio=again / sent if sent and again is not None and side == "Download" else None,
    )


def client_summary(name: str, content: bytes, options: Options, account: Account) -> list[Record]:
    """Read summaries of ndt7-client, of 2020 (flat, either spelling) and since 2022 (nested). They hold no time."""
    build, made = Builder("ndt7-client", ThroughputMethod.NDT7, options, account), []
    for raw in each(content, account):
        started = build.started(raw.get("timestamp"))
        if started is None:
            continue
        low = {key.lower(): value for key, value in raw.items()}
        downlink = build.throughput(
            _value(part(low.get("download"), "Throughput") or low.get("download")),
            stream_count=1,
            rtt_min_ms=_value(low.get("rtt") or part(low.get("download"), "Latency")),
            retransmit_ratio=_value(low.get("downloadretrans") or part(low.get("download"), "Retransmission")),
        )
        uplink = build.throughput(_value(part(low.get("upload"), "Throughput") or low.get("upload")), stream_count=1)
        server = Server(host=text(low.get("serverfqdn") or low.get("server")))
        identity = {k: v for k, v in low.items() if k not in ("clientip", "client")}
        made.append(build.record(["ndt7-client", started, identity], started, downlink, uplink, server=server))
    return made


def _value(raw: Any) -> float | None:
    """Return a value with its unit: {"Value": 409.2, "Unit": "Mbit/s"} in bit/s, ms or as a ratio."""
    low = {key.lower(): value for key, value in raw.items()} if isinstance(raw, dict) else {}
    factor = _UNITS.get(str(low.get("unit", "")).lower())
    return None if factor is None else scaled(low.get("value"), factor)
