"""Results of speed-test programs as JSON: Ookla's CLI, LibreSpeed's CLI, speedtest-cli, Cloudflare's module.

Units differ: Ookla's `bandwidth` is byte/s, LibreSpeed gives Mbit/s, speedtest-cli and Cloudflare bit/s; packet loss is
per cent with Ookla and a ratio with Cloudflare. Addresses of clients are never taken over, and where a provider's
address is registered is no position of a phone.
"""

from __future__ import annotations

from analysis.importers.account import Account
from analysis.importers.options import Options
from analysis.importers.results import Builder, each, number, part, scaled, text
from measurement.record import LatencyResult, Record, Server
from measurement.vocabulary import ThroughputMethod

MEGA = 1e6
_KM = 21_000


def is_ookla(head: bytes) -> bool:
    """Say whether a document begins as a result of Ookla's CLI."""
    return b'"bandwidth"' in head and b'"ping"' in head


def ookla(name: str, content: bytes, options: Options, account: Account) -> list[Record]:
    """Read results of `speedtest --format=json` (or jsonl). The interquartile mean stands for the median under load."""
    build, made = Builder("ookla", ThroughputMethod.OOKLA, options, account), []
    for raw in each(content, account):
        started = build.started(raw.get("timestamp"))
        if started is None:
            continue
        loss = scaled(raw.get("packetLoss"), 0.01)
        idle = build.latency(
            rtt_mean_ms=number(part(raw, "ping", "latency")),
            rtt_min_ms=number(part(raw, "ping", "low")),
            ipdv_mean_ms=number(part(raw, "ping", "jitter")),
            loss_ratio=loss,
        )
        sides = {}
        loaded: list[LatencyResult | None] = []
        for side in ("download", "upload"):
            sides[side] = build.throughput(
                scaled(part(raw, side, "bandwidth"), 8),
                bytes_count=number(part(raw, side, "bytes")),
                duration_ms=number(part(raw, side, "elapsed")),
            )
            loaded.append(
                build.latency(
                    rtt_median_ms=number(part(raw, side, "latency", "iqm")),
                    rtt_min_ms=number(part(raw, side, "latency", "low")),
                    ipdv_mean_ms=number(part(raw, side, "latency", "jitter")),
                )
            )
        server = Server(host=text(part(raw, "server", "host")), site=text(part(raw, "server", "location")))
        identity = part(raw, "result", "id") or raw
        made.append(
            build.record(
                ["ookla", identity], started, sides["download"], sides["upload"], idle, (loaded[0], loaded[1]), server,
                raw.get("isp"),
            )
        )  # fmt: skip
    return made


def is_librespeed(head: bytes) -> bool:
    """Say whether a document begins as a result of LibreSpeed's CLI."""
    return b'"bytes_received"' in head and b'"jitter"' in head and b'"share"' in head and b'"sponsor"' not in head


def librespeed(name: str, content: bytes, options: Options, account: Account) -> list[Record]:
    """Read results of `librespeed-cli --json`."""
    build, made = Builder("librespeed", ThroughputMethod.LIBRESPEED, options, account), []
    for raw in each(content, account):
        started = build.started(raw.get("timestamp"))
        if started is None:
            continue
        if part(raw, "client", "loc"):
            account.refuse_values("position", "where the client's address is registered is no position")
        idle = build.latency(rtt_mean_ms=number(raw.get("ping")), ipdv_mean_ms=number(raw.get("jitter")))
        downlink = build.throughput(scaled(raw.get("download"), MEGA), bytes_count=number(raw.get("bytes_received")))
        uplink = build.throughput(scaled(raw.get("upload"), MEGA), bytes_count=number(raw.get("bytes_sent")))
        server = Server(host=text(part(raw, "server", "url")), site=text(part(raw, "server", "name")))
        operator = part(raw, "client", "org")
        made.append(
            build.record(["librespeed", raw], started, downlink, uplink, idle, server=server, operator=operator)
        )
    return made


def is_speedtest_cli(head: bytes) -> bool:
    """Say whether a document begins as a result of speedtest-cli (sivel), also as Murakami keeps it."""
    return b'"bytes_received"' in head and (b'"sponsor"' in head or b'"serverSponsor"' in head)


def speedtest_cli(name: str, content: bytes, options: Options, account: Account) -> list[Record]:
    """Read results of `speedtest-cli --json`. Its ping includes a connection: no latency of ours."""
    build, made = Builder("speedtest-cli", ThroughputMethod.OOKLA, options, account), []
    for raw in each(content, account):
        started = build.started(raw.get("timestamp"))
        if started is None:
            continue
        if raw.get("ping") is not None:
            account.refuse_values("rtt_mean_ms", "speedtest-cli's ping includes a connection and a request")
        downlink = build.throughput(number(raw.get("download")), bytes_count=number(raw.get("bytes_received")))
        uplink = build.throughput(number(raw.get("upload")), bytes_count=number(raw.get("bytes_sent")))
        distance = number(part(raw, "server", "d") if "server" in raw else raw.get("serverD"))
        server = Server(
            host=text(part(raw, "server", "host") or raw.get("serverHost")),
            site=text(part(raw, "server", "name") or raw.get("serverName")),
            distance_km=distance if distance is not None and 0 <= distance <= _KM else None,
        )
        operator = part(raw, "client", "isp") or raw.get("isp")
        identity = {key: value for key, value in raw.items() if key != "share"}
        made.append(
            build.record(["speedtest-cli", identity], started, downlink, uplink, server=server, operator=operator)
        )
    return made


def is_cloudflare(head: bytes) -> bool:
    """Say whether a document begins as a summary of Cloudflare's speed-test module."""
    return b'"downLoadedLatency"' in head


def cloudflare(name: str, content: bytes, options: Options, account: Account) -> list[Record]:
    """Read the summary of Cloudflare's module. It holds no time of its own."""
    build, made = Builder("cloudflare", ThroughputMethod.HTTP, options, account), []
    for raw in each(content, account):
        started = build.started(raw.get("timestamp"))
        if started is None:
            continue
        phases = {
            phase: build.latency(
                rtt_median_ms=number(raw.get(latency)), ipdv_mean_ms=number(raw.get(jitter)),
                loss_ratio=number(raw.get("packetLoss")) if phase == "idle" else None,
            )
            for phase, latency, jitter in (
                ("idle", "latency", "jitter"), ("down", "downLoadedLatency", "downLoadedJitter"),
                ("up", "upLoadedLatency", "upLoadedJitter"),
            )
        }  # fmt: skip
        downlink, uplink = build.throughput(number(raw.get("download"))), build.throughput(number(raw.get("upload")))
        loaded = (phases["down"], phases["up"])
        made.append(build.record(["cloudflare", started, raw], started, downlink, uplink, phases["idle"], loaded))
    return made
