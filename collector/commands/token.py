"""`haidang-collector token`: enrol, list, revoke."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from archive.store import Archive
from collector import tables
from collector.access import Access, Role
from measurement.errors import ConfigError

_ARCHIVE = click.option(
    "--archive", "folder", type=click.Path(path_type=Path), envvar="HAIDANG_ARCHIVE", required=True, help="The archive."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _access(folder: Path) -> Access:
    archive = Archive(folder, create=True)
    tables.prepare(archive)
    return Access(archive)


@click.group()
def command() -> None:
    """Enrol, list and revoke probes and readers.

    \b
    Examples:
      haidang-collector token code office-17 --archive /srv/haidang
      haidang-collector token add dashboard --role reader --archive /srv/haidang
      haidang-collector token revoke office-17 --archive /srv/haidang
    """


@command.command()
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), default="probe", show_default=True)
@_ARCHIVE
@_JSON
def add(name: str, role: str, folder: Path, as_json: bool) -> None:
    """Make a token and print it; it cannot be shown again."""
    token = _access(folder).add(name, Role(role))
    click.echo(msgspec.json.encode({"name": name, "role": role, "token": token}).decode() if as_json else token)


@command.command()
@click.argument("name")
@_ARCHIVE
@_JSON
def code(name: str, folder: Path, as_json: bool) -> None:
    """Make a one-time code for `haidang-probe enrol URL CODE`; it is good for seven days."""
    text = _access(folder).code(name)
    click.echo(msgspec.json.encode({"name": name, "code": text}).decode() if as_json else text)


@command.command("list")
@_ARCHIVE
@_JSON
def list_tokens(folder: Path, as_json: bool) -> None:
    """List tokens without their secrets."""
    rows = _access(folder).rows()
    if as_json:
        click.echo(msgspec.json.encode([row._asdict() for row in rows]).decode())
        return
    for row in rows:
        state = f"revoked {row.revoked_at}" if row.revoked_at else "valid"
        click.echo(f"{row.name:32} {row.role:7} {row.key}  {row.created_at}  {state}")


@command.command()
@click.argument("name")
@_ARCHIVE
def revoke(name: str, folder: Path) -> None:
    """Revoke every token and code of a name; a running collector follows within a second."""
    count = _access(folder).revoke(name)
    if count == 0:
        raise ConfigError(f"Invalid name {name!r}. It holds no valid token.")
    click.echo(f"{count} revoked")
