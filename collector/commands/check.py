"""`haidang-collector check`: is this configuration right?"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from collector import sink
from collector.config import load, read_layers, read_stations


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config: Path, as_json: bool) -> None:
    """Check a configuration and every file it names, without serving.

    \b
    Example:
      haidang-collector check /etc/haidang.toml
    """
    deployment = load(config)
    layers = read_layers(deployment, config.parent)
    stations = [] if deployment.base_stations is None else read_stations(config.parent / deployment.base_stations)
    for name, settings in deployment.sinks.items():
        sink.make(name, settings, config.parent).close()
    found = {
        "time_zone": deployment.time_zone,
        "layers": {layer.key: len(layer.areas) for layer in layers},
        "base_stations_count": len(stations),
        "sinks": sorted(deployment.sinks),
    }
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    click.echo(f"time zone     {deployment.time_zone}")
    for layer in layers:
        click.echo(f"layer         {layer.key}: {len(layer.areas)} areas")
    click.echo(f"base stations {len(stations)}")
    click.echo(f"sinks         {', '.join(sorted(deployment.sinks)) or 'none'}")
