"""`make stack`: run the server side of a city on this machine until Ctrl-C."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from measurement.errors import ConfigError, HaidangError
from stack.run import ROOT, Stack


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=ROOT / "stack" / "out",
    show_default="stack/out",
    help="Where everything is kept; a second start goes on with it.",
)
@click.option("--free-ports", is_flag=True, help="Take free ports instead of those of docker-compose.yml.")
@click.option("--scale", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True,
              help="Compress the rules' windows and waits, to try things out.")  # fmt: skip
def main(folder: Path, free_ports: bool, scale: float) -> None:
    """Start InfluxDB, collector, two peers, a probe, Prometheus, Alertmanager and a web hook; Ctrl-C ends them all.

    \b
    Examples:
      python -m stack
      python -m stack --free-ports --folder /tmp/watched --scale 0.05
    """
    try:
        with Stack(folder.resolve(), scale=scale, is_free=free_ports) as stack:
            click.echo(
                f"Messages of alerts come here and to {stack.folder / 'messages.ndjson'}. Ctrl-C ends.", err=True
            )
            running = dict(stack.servers)
            while running:
                # A server that ends is what the alerts are for: the others go on.
                for name in [name for name, server in running.items() if not server.is_running]:
                    del running[name]
                    click.echo(f"{name} has ended: {stack.folder / 'logs' / name}.log", err=True)
                time.sleep(1)
            raise HaidangError(f"Every server has ended: {stack.folder / 'logs'}")
    except KeyboardInterrupt:
        click.echo("Ended.", err=True)
    except HaidangError as error:
        click.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)


if __name__ == "__main__":
    main()
