"""`haidang-collector sinks`: the lag of each sink, replay, and adding one later."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from archive.store import Archive
from collector import sink, tables
from measurement.errors import ConfigError

_ARCHIVE = click.option(
    "--archive", "folder", type=click.Path(path_type=Path), envvar="HAIDANG_ARCHIVE", required=True, help="The archive."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")


class Lag(NamedTuple):
    """How far one sink is. `waiting_count` counts records not yet delivered."""

    name: str
    sequence: int
    waiting_count: int
    delivered_count: int
    failed_count: int
    last_error: str | None
    updated_at: str | None


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Show each sink's lag; replay a range; add a sink later and fill it from the archive.

    \b
    Examples:
      haidang-collector sinks list --archive /srv/haidang
      haidang-collector sinks replay influx --from 2026-07-01 --archive /srv/haidang
      haidang-collector sinks add delta --from-now --archive /srv/haidang
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command.command("list")
@_ARCHIVE
@_JSON
def list_sinks(folder: Path, as_json: bool) -> None:
    """Show how far each sink is and what last went wrong."""
    with _opened(folder) as archive:
        rows = lags(archive)
    if as_json:
        for row in rows:
            click.echo(msgspec.json.encode(row._asdict()))
        return
    if not rows:
        click.echo("No sinks. Name them in the configuration: [sinks.influx], [sinks.delta].")
    for row in rows:
        state = "up to date" if row.waiting_count == 0 else f"{row.waiting_count:,} records behind"
        click.echo(f"{row.name:16} {state:28} {row.delivered_count:>14,} delivered {row.failed_count:>8,} failures")
        if row.last_error:
            click.echo(f"{'':16} {row.updated_at}: {row.last_error}")


@command.command()
@click.argument("name")
@click.option("--from", "first_day", metavar="DATE", help="First civil day to deliver again; all where left out.")
@_ARCHIVE
def replay(name: str, first_day: str | None, folder: Path) -> None:
    """Deliver again what a sink has taken before; writing twice is writing once.

    Goes back to the first record that ARRIVED for that day, so later arrivals of other days come again too.
    """
    with _opened(folder) as archive:
        sink.cursor_of(archive, name)
        start = 0 if first_day is None else before(archive, _day(first_day))
        with archive.transaction() as connection:
            connection.execute("UPDATE sink_cursors SET sequence = min(sequence, ?) WHERE name = ?", (start, name))
        (row,) = [row for row in lags(archive) if row.name == name]
    click.echo(f"{name}: {row.waiting_count:,} records will be delivered again.")


@command.command()
@click.argument("name")
@click.option("--from-now", is_flag=True, help="Leave out what the archive holds already.")
@_ARCHIVE
def add(name: str, from_now: bool, folder: Path) -> None:
    """Give a sink a cursor before `serve` meets it in the configuration; by default it is filled from the beginning."""
    with _opened(folder) as archive:
        if any(row.name == name for row in lags(archive)):
            raise ConfigError(f"Invalid sink {name!r}. The archive feeds it already.")
        sink.register(archive, name, newest(archive) if from_now else 0)
        (row,) = [row for row in lags(archive) if row.name == name]
    click.echo(f"{name}: added, {row.waiting_count:,} records to deliver.")


def _opened(folder: Path) -> Archive:
    archive = Archive(folder)
    tables.prepare(archive)
    return archive


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ConfigError(f"--from: Invalid date {text!r}. YYYY-MM-DD.") from None


_ARRIVALS = "(SELECT day, first_sequence, last_sequence, row_count FROM segments WHERE replaced_at IS NULL)"
_HOT = "sequence > (SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'sealed_through')"


def newest(archive: Archive) -> int:
    """Return the sequence of the newest arrival."""
    (segment,) = archive.connection.execute(f"SELECT max(last_sequence) FROM {_ARRIVALS}").fetchone()
    (hot,) = archive.connection.execute("SELECT max(sequence) FROM hot").fetchone()
    return max(segment or 0, hot or 0)


def before(archive: Archive, day: str) -> int:
    """Return the sequence just before the first arrival of records of `day` or later."""
    (segment,) = archive.connection.execute(
        f"SELECT min(first_sequence) FROM {_ARRIVALS} WHERE day >= ?", (day,)
    ).fetchone()
    (hot,) = archive.connection.execute(f"SELECT min(sequence) FROM hot WHERE day >= ? AND {_HOT}", (day,)).fetchone()
    known = [found for found in (segment, hot) if found is not None]
    return min(known) - 1 if known else newest(archive)


def lags(archive: Archive) -> list[Lag]:
    """Return how far each sink is."""
    rows: list[tuple[Any, ...]] = archive.connection.execute(
        "SELECT name, sequence, delivered_count, failed_count, last_error, updated_at FROM sink_cursors ORDER BY name"
    ).fetchall()
    return [Lag(name, sequence, archive.count_after(sequence), *rest) for name, sequence, *rest in rows]
