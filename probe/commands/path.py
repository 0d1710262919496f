"""`haidang-probe path HOST`: the way to a host, hop by hop, and where trouble starts."""

from __future__ import annotations

import json
import socket
import sys

import click
import msgspec

from measurement.errors import InstrumentError
from probe.network import asn_table as read_table
from probe.path.hops import findings
from probe.path.link import ProbeKind
from probe.path.survey import Survey, survey
from probe.path.trace import TracePlan

HOW_TO_GRANT = (
    "Raw sockets are not allowed to this process. Run it by sudo, or grant them once: "
    "sudo setcap cap_net_raw+ep {python}"
)
BY_NUMBER = "Segments are told apart by the numbers of the networks."
BY_BLOCK = (
    "Segments are a guess by blocks of addresses (/16, /32 of IPv6): an operator has many. "
    "--asn-table FILE tells networks apart by their numbers."
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
@click.option(
    "--interval", type=click.FloatRange(0.02, 60), default=0.3, show_default=True, metavar="SECONDS",
    help="Mean time from round to round.",
)  # fmt: skip
@click.option("--max-ttl", type=click.IntRange(1, 64), default=30, show_default=True, help="Farthest hop to ask.")
@click.option("-4", "ip_version", flag_value=4, type=int, help="IPv4 only.")
@click.option("-6", "ip_version", flag_value=6, type=int, help="IPv6 only.")
@click.option("--mtu/--no-mtu", default=True, show_default=True, help="Find the largest packet that passes.")
@click.option("--pcap", type=click.Path(dir_okay=False), help="Write every probe and answer to this capture file.")
@click.option(
    "--asn-table", metavar="FILE",
    help="CSV of first address, last address, ASN: tells the operator's network from others by its number.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(
    host: str, method: str, port: int | None, probes: int, interval: float, max_ttl: int, ip_version: int | None,
    mtu: bool, pcap: str | None, asn_table: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show the way to HOST hop by hop, with loss and round trips, and say where trouble starts."""
    table = read_table(asn_table) if asn_table else None
    try:
        found = survey(
            host,
            ProbeKind(method),
            TracePlan(probe_count=probes, ttl_most=max_ttl, interval_s=interval),
            port=port,
            ip_version=ip_version,
            pcap=pcap,
            with_mtu=mtu,
            asn_of=table.find if table else lambda address: None,
            progress=None if as_json else _progress,
        )
    except PermissionError:
        raise InstrumentError(HOW_TO_GRANT.format(python=sys.executable)) from None
    except socket.gaierror as error:
        raise InstrumentError(f"Cannot resolve {host!r}. {error.strerror}.") from None
    except OSError as error:
        raise InstrumentError(f"Cannot reach {host}. {error.strerror or error}.") from None
    if as_json:
        click.echo(_json(host, method, found, table is not None))
    else:
        _table(host, method, found, mtu, table is not None)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\rRound {done} of {total} …" + ("\r\x1b[K" if done == total else ""), nl=False, err=True)


def _json(host: str, method: str, found: Survey, is_by_number: bool) -> str:
    answer = {
        "host": host,
        "address": found.address,
        "method": method,
        "is_reached": found.is_reached,
        "mtu_bytes": found.mtu_bytes,
        "segments_by": "asn" if is_by_number else "address_block",
        "hops": found.hops,
        "findings": findings(found.hops),
    }
    return json.dumps(msgspec.to_builtins(answer), ensure_ascii=False)


def _table(host: str, method: str, found: Survey, with_mtu: bool, is_by_number: bool) -> None:
    hops = found.hops
    count = hops[0].sent_count if hops else 0
    click.echo(f"Path to {host} ({found.address}) by {method.upper()}, {count} probes a hop")
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
    click.echo(BY_NUMBER if is_by_number else BY_BLOCK)
    if with_mtu:
        click.echo(f"Largest packet: {found.mtu_bytes} bytes" if found.mtu_bytes else "Largest packet: not found")
    troubles = findings(hops)
    for finding in troubles:
        click.echo(f"Trouble starts in {WHERE[finding.segment]}: {finding.text}")
    if not troubles:
        click.echo("No trouble found.")
