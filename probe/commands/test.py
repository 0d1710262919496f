"""`haidang-probe test`: one measurement now."""

from __future__ import annotations

import os
import platform
import re
import sys

import click


def default_probe_id() -> str:
    """Return this machine's name as a probe's id."""
    name = re.sub(r"[^A-Za-z0-9._:-]", "-", platform.node())[:64].lstrip("._:-")
    return name or "probe"


@click.command(
    "test",
    short_help="one measurement now",
    epilog="Examples:\n\n  haidang-probe test --peer http://peer.example:8080\n\n"
    "  haidang-probe test --peer https://peer.example --thorough --json > record.json",
)
@click.option("--peer", "peer_url", required=True, metavar="URL", help="Peer to test against, http:// or https://.")
@click.option("--method", default="http", show_default=True, help="Throughput method.")
@click.option(
    "--latency",
    "latency_method",
    default="stamp",
    show_default=True,
    type=click.Choice(["stamp", "icmp", "tcp", "http"]),
    help="How round trips are measured.",
)
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
@click.option("--authority", metavar="FILE", help="Certificates to trust instead of the system's, for https.")
@click.option("--probe-id", default=default_probe_id, show_default="this machine's name", help="Who measures.")
@click.option("--campaign", help="Campaign to note in the record.")
@click.option("--organisation", help="Who is responsible: a department, a district.")
@click.option("--language", type=click.Choice(["vi", "en"]), help="Language of the result. [default: from LANG]")
@click.option("--json", "as_json", is_flag=True, help="Print the record as one line of JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    peer_url: str,
    method: str,
    latency_method: str,
    only: str | None,
    thorough: bool,
    seconds: float,
    budget: float | None,
    precision: float,
    streams: int | None,
    timeout: float,
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
    from probe.cycle import Cycle, run_cycle
    from probe.live import live
    from probe.presentation import language_of, text
    from probe.target import parse
    from probe.throughput.plan import Direction, Plan

    spoken = language or language_of(dict(os.environ))
    cycle = Cycle(
        probe_id=probe_id,
        mode=Mode.CERTIFIED if thorough else Mode.MANUAL,
        method=method,
        latency_method=LatencyMethod(latency_method),
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
    target = parse(peer_url, authority)
    if quiet:
        record = run_cycle(target, cycle)
    else:
        with live(spoken) as listener:
            record = run_cycle(target, cycle, listener=listener)
    body = encode(record)
    decode(body)  # what the collector would refuse must not leave the probe
    click.echo(body.decode() if as_json else text(record, spoken))
    if record.outcome.status is Status.FAILED:
        sys.exit(1)
