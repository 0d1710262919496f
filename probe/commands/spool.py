"""`haidang-probe spool`: what waits to be delivered, what was refused and why."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from measurement.errors import ConfigError
from probe.agent.lines import amount
from probe.settings import Settings, load
from probe.spool.spool import Spool


@click.command("spool")
@click.argument("action", type=click.Choice(["show", "refused", "release", "export"]), default="show")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file; /etc/haidang/probe.toml if there.")
@click.option("--spool", "path", type=click.Path(path_type=Path), help="The spool file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(action: str, config: Path | None, path: Path | None, as_json: bool) -> None:
    """Show what waits, list what the collector REFUSED and why, RELEASE that to be sent again, or EXPORT all.

    \b
    haidang-probe spool --spool spool.sqlite
    haidang-probe spool refused --json
    haidang-probe spool export > records.ndjson
    """
    settings = load(config, os.environ, {"spool": {"path": None if path is None else str(path)}})
    if not Path(settings.spool.path).is_file():
        raise ConfigError(f"Invalid spool {settings.spool.path!r}. No such file.")
    with Spool(settings.spool.path, max_bytes=settings.spool.max_bytes) as spool:
        if action == "export":
            for waiting in spool.batch(2**31, 2**62):
                sys.stdout.buffer.write(waiting.body + b"\n")
        elif action == "release":
            click.echo(f"{spool.release()} records are sent again at the next delivery.")
        elif action == "refused":
            _refused(spool, as_json)
        else:
            _show(spool, settings, as_json)


def _refused(spool: Spool, as_json: bool) -> None:
    for refused in spool.refused():
        click.echo(
            json.dumps(refused._asdict()) if as_json else f"{refused.record_id}  {refused.path}  {refused.reason}"
        )


def _show(spool: Spool, settings: Settings, as_json: bool) -> None:
    depth, counters = spool.depth(), spool.counters()
    facts: dict[str, Any] = {**depth._asdict(), "max_bytes": settings.spool.max_bytes, **counters}
    if as_json:
        click.echo(json.dumps(facts))
        return
    dropped = {name.removeprefix("dropped_"): n for name, n in counters.items() if name.startswith("dropped_") and n}
    click.echo(f"{settings.spool.path}: {amount(depth.byte_count)} of {amount(settings.spool.max_bytes)}")
    click.echo(f"  waiting       {depth.waiting_count}")
    click.echo(f"  refused       {depth.refused_count}")
    click.echo(f"  kept so far   {counters['kept']}, acknowledged {counters['acknowledged']}")
    click.echo("  dropped       " + (", ".join(f"{n} {name}" for name, n in dropped.items()) or "none"))
