"""`haidang-collector verify`: is this archive whole?"""

from __future__ import annotations

from pathlib import Path

import click

from archive.backup import verify
from archive.store import Archive
from measurement.errors import StorageError


@click.command()
@click.option(
    "--archive", "folder", type=click.Path(path_type=Path), envvar="HAIDANG_ARCHIVE", required=True, help="The archive."
)
def command(folder: Path) -> None:
    """Check every segment against the catalogue, and the catalogue itself; exit 1 where something is wrong.

    \b
    Example:
      haidang-collector verify --archive /srv/haidang
    """
    with Archive(folder) as archive:
        faults = list(verify(archive))
        with archive.snapshot() as snapshot:
            counts = len(snapshot.segments), snapshot.row_count
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise StorageError(f"{len(faults)} faults in {folder}.")
    click.echo(f"whole: {counts[0]} segments, {counts[1]} records")
