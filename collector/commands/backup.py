"""`haidang-collector backup`: a whole copy of the archive while it is written to."""

from __future__ import annotations

from pathlib import Path

import click

from archive.backup import backup
from archive.store import Archive


@click.command()
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--archive", "folder", type=click.Path(path_type=Path), envvar="HAIDANG_ARCHIVE", required=True, help="The archive."
)
@click.option("--quiet", is_flag=True, help="No progress.")
def command(target: Path, folder: Path, quiet: bool) -> None:
    """Copy the archive into TARGET, new or an earlier backup, while the collector goes on.

    \b
    Examples:
      haidang-collector backup /mnt/backup/haidang --archive /srv/haidang
      haidang-collector verify --archive /mnt/backup/haidang
    """

    def progress(done: int, total: int) -> None:
        if not quiet:
            click.echo(f"\r{done}/{total} segments", nl=done == total, err=True)

    with Archive(folder) as archive:
        copied = backup(archive, target, progress)
    click.echo(f"{copied.segment_count} segments, {copied.copied_count} of them new, {copied.row_count} sealed records")
