"""`haidang-probe doctor`: what this device can measure at best."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

MARKS = {True: ("✔", "green"), False: ("✘", "red"), None: ("–", "yellow")}


@click.command(
    "doctor",
    short_help="what this device can measure at best",
    epilog="Examples:\n\n  haidang-probe doctor\n\n  haidang-probe doctor --peer http://peer.example:8080 --json",
)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file of the agent.")
@click.option("--peer", "peer_url", metavar="URL", help="Peer to reach. [default: the first configured]")
@click.option("--collector", metavar="URL", help="Collector to reach. [default: the configured one]")
@click.option("--authority", metavar="FILE", help="Certificates to trust for the peer.")
@click.option("--seconds", type=click.FloatRange(0.5, 10), default=1.5, show_default=True, help="Per ceiling test.")
@click.option("--skip", multiple=True, metavar="CHECK", help="Leave a check out; may be repeated.")
@click.option("--language", type=click.Choice(["vi", "en"]), help="Language. [default: from LANG]")
@click.option("--json", "as_json", is_flag=True, help="Print findings as JSON.")
def command(
    config: Path | None,
    peer_url: str | None,
    collector: str | None,
    authority: str | None,
    seconds: float,
    skip: tuple[str, ...],
    language: str | None,
    as_json: bool,
) -> None:
    """Check clock, timer, rights, disk, ceilings, modem, position, peer, collector. Exit 1 where a line is red.

    The ceilings are stored, so that later tests can tell when this device, not the network, was the limit.
    """
    from measurement.errors import ConfigError
    from probe.doctor import ROWS, Finding, Subject, load
    from probe.presentation import LANGUAGES, language_of
    from probe.settings import load as load_settings
    from probe.target import parse

    names = [row.name for row in ROWS]
    for name in skip:
        if name not in names:
            raise ConfigError(f"Invalid check {name!r}. One of {', '.join(names)}.")
    at = LANGUAGES.index(language or language_of(dict(os.environ)))
    settings = load_settings(config, os.environ, {"collector": collector})
    target = None if peer_url is None else parse(peer_url, authority)
    subject = Subject(settings=settings, peer=target, seconds=seconds)
    findings: dict[str, Finding] = {}
    rows = [row for row in ROWS if row.name not in skip]
    width = max(len(row.title[at]) for row in rows)
    for row in rows:
        if not as_json and sys.stderr.isatty():
            click.echo(f"… {row.title[at]}\r", nl=False, err=True)
        finding = findings[row.name] = load(row)(subject)
        if as_json:
            continue
        mark, colour = MARKS[finding.is_good]
        click.echo(f"{click.style(mark, fg=colour)} {row.title[at]:<{width}}  {finding.said[at]}")
        if finding.cure is not None:
            click.echo(f"  {'':<{width}}  → {finding.cure[at]}")
    if as_json:
        click.echo(json.dumps({name: _plain(finding, at) for name, finding in findings.items()}, ensure_ascii=False))
    if any(finding.is_good is False for finding in findings.values()):
        sys.exit(1)


def _plain(finding: object, at: int) -> dict[str, object]:
    from probe.doctor import Finding

    assert isinstance(finding, Finding)
    cure = None if finding.cure is None else finding.cure[at]
    return {"is_good": finding.is_good, "said": finding.said[at], "cure": cure, "figures": finding.figures}
