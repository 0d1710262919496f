"""The `haidang-collector` command: one verb a module in `collector.commands`, loaded when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from measurement.errors import ConfigError, HaidangError

VERBS = {
    "serve": ("serve", "receive records, serve the API and the site"),
    "check": ("check", "check a configuration without serving"),
    "token": ("token", "enrol, list and revoke probes and readers"),
    "backup": ("backup", "copy the archive while it is written to"),
    "verify": ("verify", "is this archive whole?"),
    "sinks": ("sinks", "the lag of each sink; replay a range"),
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"collector.commands.{VERBS[cmd_name][0]}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"collector.commands.{VERBS[cmd_name][0]}.command is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="haidang", message="%(prog)s %(version)s")
def group() -> None:
    """Receive, place and keep records."""


def main() -> None:
    """Run the command; exit 0 done, 1 failed, 2 bad usage or configuration."""
    try:
        group()
    except ConfigError as error:
        click.echo(f"haidang-collector: {error}", err=True)
        sys.exit(2)
    except HaidangError as error:
        click.echo(f"haidang-collector: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
