"""`haidang-probe test`: one measurement now."""

from __future__ import annotations

import dataclasses
import functools
import os
import platform
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from probe.methods import METHODS

if TYPE_CHECKING:
    from measurement.record import Record
    from probe.target import Target


def default_probe_id() -> str:
    """Return this machine's name as a probe's id."""
    name = re.sub(r"[^A-Za-z0-9._:-]", "-", platform.node())[:64].lstrip("._:-")
    return name or "probe"


@click.command(
    "test",
    short_help="one measurement now",
    epilog="Examples:\n\n  haidang-probe test --peer http://peer.example:8080\n\n"
    "  haidang-probe test --peer https://peer.example --thorough --json > record.json\n\n"
    "  haidang-probe test --servers peers.toml --role domestic --exclude old.peer.example",
)
@click.option("--peer", "peer_urls", multiple=True, metavar="URL", help="Peer to test against; several: the nearest.")
@click.option("--servers", "servers_file", type=click.Path(), help="List of peers: TOML with one [[server]] each.")
@click.option(
    "--role", type=click.Choice(["own", "domestic", "international"]), help="Of the list, peers of this role."
)
@click.option("--pin", metavar="HOST", help="Of several peers, this one.")
@click.option("--exclude", multiple=True, metavar="HOST", help="Of several peers, not this one. May be repeated.")
@click.option(
    "--method", type=click.Choice(list(METHODS)), default="http", show_default=True, help="How goodput is measured."
)
@click.option(
    "--latency",
    "latency_method",
    default="stamp",
    show_default=True,
    type=click.Choice(["stamp", "icmp", "tcp", "http"]),
    help="How round trips are measured.",
)
@click.option("--stamp-key", type=click.Path(), help="Key file for peers whose reflector asks for authentication.")
@click.option("--only", type=click.Choice(["downlink", "uplink"]), help="Measure one direction only.")
@click.option("--thorough", is_flag=True, help="Run the full time, for certified campaigns; uses more data.")
@click.option(
    "--seconds", type=click.FloatRange(0.5, 60), default=10.0, show_default=True, help="Longest time a direction."
)
@click.option("--budget", type=click.FloatRange(0.1), metavar="MB", help="Most data for both directions together.")
@click.option("--precision", type=click.FloatRange(0.5, 50), default=3.0, show_default=True, help="Stop at ± this %.")
@click.option("--streams", type=click.IntRange(1, 32), help="Connections. [default: by the pre-test]")
@click.option(
    "--timeout", type=click.FloatRange(0.5, 60), default=5.0, show_default=True, help="Seconds to wait for a step."
)
@click.option("--path", "with_path", is_flag=True, help="Trace the path to the peer afterwards; needs raw sockets.")
@click.option("--authority", metavar="FILE", help="Certificates to trust instead of the system's, for https.")
@click.option("--probe-id", default=default_probe_id, show_default="this machine's name", help="Who measures.")
@click.option("--campaign", help="Campaign to note in the record.")
@click.option("--organisation", help="Who is responsible: a department, a district.")
@click.option("--language", type=click.Choice(["vi", "en"]), help="Language of the result. [default: from LANG]")
@click.option("--json", "as_json", is_flag=True, help="Print the record as one line of JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    peer_urls: tuple[str, ...],
    servers_file: str | None,
    role: str | None,
    pin: str | None,
    exclude: tuple[str, ...],
    method: str,
    latency_method: str,
    stamp_key: str | None,
    only: str | None,
    thorough: bool,
    seconds: float,
    budget: float | None,
    precision: float,
    streams: int | None,
    timeout: float,
    with_path: bool,
    authority: str | None,
    probe_id: str,
    campaign: str | None,
    organisation: str | None,
    language: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure once. A network that fails is a result: the record says how, and the exit code is 1."""
    from measurement.codec import decode, encode
    from measurement.vocabulary import LatencyMethod, Mode, Status
    from probe import nearest, servers
    from probe.cycle import Cycle, run_cycle
    from probe.latency.stamp_key import read_key
    from probe.live import live
    from probe.presentation import language_of, text
    from probe.throughput.plan import Direction, Plan

    spoken = language or language_of(dict(os.environ))
    cycle = Cycle(
        probe_id=probe_id,
        mode=Mode.CERTIFIED if thorough else Mode.MANUAL,
        method=method,
        latency_method=LatencyMethod(latency_method),
        stamp_key=read_key(stamp_key) if stamp_key else None,
        directions=(Direction(only),) if only else tuple(Direction),
        plan=Plan(
            duration_s=seconds,
            precision=precision / 100,
            is_thorough=thorough,
            stream_count=streams,
            timeout_s=timeout,
        ),
        byte_budget=None if budget is None else round(budget * 1e6),
        campaign=campaign,
        organisation=organisation,
    )
    say = (lambda line: None) if quiet else functools.partial(click.echo, err=True)
    listed = (servers.load(servers_file) if servers_file else []) + [servers.Candidate(url=url) for url in peer_urls]
    if not listed:
        raise click.UsageError("Missing option '--peer' or '--servers'.")
    left = servers.allowed(servers.check(listed), pin, exclude, servers.Role(role) if role else None)
    order = nearest.order(left, say, authority, cycle.stamp_key)

    def run(target: Target, attempt: int) -> Record:
        once = dataclasses.replace(cycle, attempt_count=attempt if len(left) > 1 else None)
        if quiet:
            return run_cycle(target, once)
        with live(spoken) as listener:
            return run_cycle(target, once, listener=listener)

    record = nearest.measure(order, run, say, authority)
    if with_path:
        record = _with_path(record, say)
    body = encode(record)
    decode(body)  # what the collector would refuse must not leave the probe
    click.echo(body.decode() if as_json else text(record, spoken))
    if record.outcome.status is Status.FAILED:
        sys.exit(1)


def _with_path(record: Record, say: Callable[[str], None]) -> Record:
    """Add the path to the peer; a record without one is still a record."""
    import msgspec

    from probe.path.hops import as_record
    from probe.path.link import ProbeKind
    from probe.path.survey import survey
    from probe.path.trace import TracePlan

    host = record.server.host if record.server is not None else None
    if host is None:
        return record
    say(f"Tracing the path to {host} …")
    try:
        found = survey(host, ProbeKind.ICMP, TracePlan(probe_count=5))
    except OSError as error:
        say(f"No path: {error.strerror or error}. `haidang-probe path {host}` says more.")
        return record
    return msgspec.structs.replace(record, path=as_record(found.hops, found.mtu_bytes))
