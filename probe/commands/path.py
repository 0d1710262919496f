"""`haidang-probe path HOST`: the way to a host, hop by hop, and where trouble starts."""

from __future__ import annotations

import json
import socket
import sys

import click
import msgspec

from measurement.errors import InstrumentError
from probe.path.hops import Finding, HopFigures, figures, findings
from probe.path.link import Link, ProbeKind
from probe.path.mtu import measure as measure_mtu
from probe.path.trace import Trace, TracePlan

HOW_TO_GRANT = (
    "Raw sockets are not allowed to this process. Run it by sudo, or grant them once: "
    "sudo setcap cap_net_raw+ep {python}"
)
WHERE = {"access": "the access network", "operator": "the operator's core", "beyond": "beyond the operator"}


@click.command(
    "path",
    epilog="Examples:\n\n  haidang-probe path map.example.vn\n\n"
    "  haidang-probe path 203.113.1.1 --method tcp --probes 30 --pcap path.pcap --json",
)
@click.argument("host")
@click.option(
    "--method", type=click.Choice([kind.value for kind in ProbeKind]), default="icmp", show_default=True,
    help="What the probes look like. TCP passes firewalls that drop the others.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65_535), help="Destination port: 33434 for udp, 443 for tcp by default.")
@click.option("--probes", type=click.IntRange(1, 1000), default=10, show_default=True, help="Probes a hop.")
@click.option("--max-ttl", type=click.IntRange(1, 64), default=30, show_default=True, help="Farthest hop to ask.")
@click.option("-4", "ip_version", flag_value=4, type=int, help="IPv4 only.")
@click.option("-6", "ip_version", flag_value=6, type=int, help="IPv6 only.")
@click.option("--mtu/--no-mtu", default=True, show_default=True, help="Find the largest packet that passes.")
@click.option("--pcap", type=click.Path(dir_okay=False), help="Write every probe and answer to this capture file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(
    host: str, method: str, port: int | None, probes: int, max_ttl: int, ip_version: int | None, mtu: bool,
    pcap: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show the way to HOST hop by hop, with loss and round trips, and say where trouble starts."""
    kind, plan = ProbeKind(method), TracePlan(probe_count=probes, ttl_most=max_ttl)
    try:
        with Link(host, kind, port=port, pcap=pcap, ip_version=ip_version) as link:
            hops = figures(Trace(link, plan, None if as_json else _progress).run())
            address = link.address
        largest = _mtu(address, plan.timeout_s / 3) if mtu and hops and hops[-1].is_destination else None
    except PermissionError:
        raise InstrumentError(HOW_TO_GRANT.format(python=sys.executable)) from None
    except socket.gaierror as error:
        raise InstrumentError(f"Cannot resolve {host!r}. {error.strerror}.") from None
    except OSError as error:
        raise InstrumentError(f"Cannot reach {host}. {error.strerror or error}.") from None
    found = findings(hops)
    if as_json:
        click.echo(_json(host, address, kind, hops, largest, found))
    else:
        _table(host, address, kind, hops, largest, found)


def _mtu(address: str, timeout_s: float) -> int | None:
    with Link(address, ProbeKind.ICMP) as link:
        return measure_mtu(link, timeout_s)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\rRound {done} of {total} …" + ("\r\x1b[K" if done == total else ""), nl=False, err=True)


def _json(
    host: str, address: str, kind: ProbeKind, hops: list[HopFigures], mtu_bytes: int | None, found: list[Finding]
) -> str:
    answer = {
        "host": host,
        "address": address,
        "method": kind,
        "is_reached": bool(hops) and hops[-1].is_destination,
        "mtu_bytes": mtu_bytes,
        "hops": hops,
        "findings": found,
    }
    return json.dumps(msgspec.to_builtins(answer), ensure_ascii=False)


def _table(
    host: str, address: str, kind: ProbeKind, hops: list[HopFigures], mtu_bytes: int | None, found: list[Finding]
) -> None:
    count = hops[0].sent_count if hops else 0
    click.echo(f"Path to {host} ({address}) by {kind.value.upper()}, {count} probes a hop")
    wide = max([len(hop.address or "*") for hop in hops], default=7)
    click.echo(
        f"{'hop':>3}  {'address':<{wide}}  {'segment':<8}  {'loss':>5}  {'min':>8}  {'median':>8}  {'max':>8} ms"
    )
    for hop in hops:
        times = "  ".join(
            f"{'-' if value is None else format(value, '.2f'):>8}"
            for value in (hop.rtt_min_ms, hop.rtt_median_ms, hop.rtt_max_ms)
        )
        others = f"  (also {', '.join(a for a in hop.addresses if a != hop.address)})" if len(hop.addresses) > 1 else ""
        click.echo(
            f"{hop.ttl:>3}  {hop.address or '*':<{wide}}  {hop.segment or '':<8}  "
            f"{hop.loss_ratio:>5.0%}  {times}{others}"
        )
    click.echo(f"Largest packet: {mtu_bytes} bytes" if mtu_bytes else "Largest packet: not found")
    for finding in found:
        click.echo(f"Trouble starts in {WHERE[finding.segment]}: {finding.text}")
    if not found:
        click.echo("No trouble found.")
