"""The shape that every `haidang-…` command has: verbs that load when called, and one meaning of each exit code.

A program is a table of verbs (`probe.cli`); a verb is a module `NAME.commands.VERB` with a click command named
`command`. Only the verb that is called is imported, which keeps the probe's start under a third of a second.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import click

from measurement.errors import ConfigError, HaidangError

DONE, FAILED, BAD_USAGE = 0, 1, 2


class Verb(NamedTuple):
    """One verb: the module in the program's `commands` package, and its line in the help."""

    module: str
    help: str


class Verbs(click.Group):
    """A click group whose commands are imported when they are called."""

    verbs: Mapping[str, Verb]
    package: str

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the table's order."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's module and return its command, or None for a word that is no verb."""
        if cmd_name not in self.verbs:
            return None
        name = f"{self.package}.commands.{self.verbs[cmd_name].module}"
        command = importlib.import_module(name).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{name}.command is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs from the table, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])


def program(package: str, about: str, verbs: Mapping[str, Verb]) -> Verbs:
    """Return the click group `haidang-PACKAGE`."""
    made = Verbs(name=f"haidang-{package}", help=about, context_settings={"help_option_names": ["-h", "--help"]})
    made.verbs, made.package = verbs, package
    return click.version_option(package_name="haidang", message="%(prog)s %(version)s")(made)


def runner(group: Verbs) -> Callable[[], None]:
    """Return the entry point: exit 0 done, 1 failed, 2 bad usage or configuration, each with one line that says why."""

    def main() -> None:
        try:
            group()
        except HaidangError as error:
            click.echo(f"{group.name}: {error}", err=True)
            sys.exit(BAD_USAGE if isinstance(error, ConfigError) else FAILED)
        except BrokenPipeError:  # the reader of our output has gone, `… | head`
            sys.stderr.close()
            sys.exit(FAILED)

    return main
