"""`haidang-analysis import`: bring in logs and results of other tools."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from analysis.importers.files import members
from analysis.importers.formats import FORMATS
from analysis.importers.options import Options
from analysis.importers.run import Import, Progress
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.errors import HaidangError


class _Line:
    """A progress line on a terminal's standard error, and silence elsewhere."""

    def __init__(self, total: int) -> None:
        self._total, self._is_shown = max(1, total), sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        if self._is_shown:
            share = min(1.0, progress.byte_count / self._total)
            click.echo(f"\rimport: {share:4.0%}  {progress.rows_count:,} rows ", err=True, nl=False)

    def end(self) -> None:
        """Close the line."""
        if self._is_shown:
            click.echo(err=True)


def _listed() -> str:
    return "\n".join(f"{row.name}: {row.title}" for row in FORMATS)


@click.command("import", epilog="Formats\n\n\b\n" + _listed())
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--archive", "archive_path", required=True, envvar="HAIDANG_ARCHIVE", type=click.Path(path_type=Path),
              help="Archive directory; made where there is none.")  # fmt: skip
@click.option("--format", "format_name", type=click.Choice([row.name for row in FORMATS]), help="Else by content.")
@click.option("--time-zone", help="Zone of times that name none, and of a new archive's days.")
@click.option("--probe-id", help="Who measured; by default the format's name (and the operator's).")
@click.option("--operator", help="Whose network it was, where the files do not say.")
@click.option("--saturated", metavar="PATTERN", help="Files whose downloads ran all the time: bitrates become tests.")
@click.option("--campaign", help="Name that the records carry.")
@click.option("--organisation", help="Who had it measured.")
@click.option("--at", metavar="TIME", help="Time of results that carry none, such as 2026-05-01T12:00:00+07:00.")
@click.option("--position", nargs=2, type=float, metavar="LONGITUDE LATITUDE", help="Place of results that carry none.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as JSON.")
def command(
    paths: tuple[Path, ...], archive_path: Path, format_name: str | None, time_zone: str | None, probe_id: str | None,
    operator: str | None, saturated: str | None, campaign: str | None, organisation: str | None, at: str | None,
    position: tuple[float, float] | None, as_json: bool,
) -> None:  # fmt: skip
    """Bring files, folders, zip or tar archives of other tools into the archive.

    Each row passes the checks of a record. The account tells what was kept, and what was refused for which reason. What
    the archive holds already is not taken twice. Exit code 1 where nothing at all could be used.

    \b
    haidang-analysis import --archive ./archive --time-zone Africa/Dakar logs/
    haidang-analysis import --archive ./archive --time-zone Europe/Dublin --saturated '*Download/*' dataset.zip
    haidang-analysis import --archive ./archive result.json --position 106.68 20.86
    """
    with Archive(archive_path, create=True) as archive:
        options = Options(
            time_zone=time_zone or archive.setting("time_zone") or DEFAULT_TIME_ZONE,
            probe_id=probe_id,
            operator=operator,
            saturated=saturated,
            campaign=campaign,
            organisation=organisation,
            at=at,
            position=position,
        ).checked()
        if time_zone is not None:
            archive.set_time_zone(time_zone)
        line = _Line(sum(member.byte_count for path in paths for member in members(path)))
        try:
            account = Import(archive, options, format_name=format_name, listener=line).run(paths)
        finally:
            line.end()
    click.echo(json.dumps(account.as_json(), ensure_ascii=False) if as_json else "\n".join(account.lines()))
    if not account.rows_kept_count and not account.rows_refused.get("in the archive already"):
        raise HaidangError("nothing was imported; the reasons are above")
