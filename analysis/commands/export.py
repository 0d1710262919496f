"""`haidang-analysis export`: open data under the privacy floors."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import click
import polars as pl

from measurement.errors import ConfigError

_URL = re.compile(r"^https?://[A-Za-z0-9.\-_:]+(/[A-Za-z0-9.\-_~/]*)?$")


@click.command("export")
@click.option("--archive", "path", required=True, envvar="HAIDANG_ARCHIVE", type=click.Path(path_type=Path),
              help="Archive directory.")  # fmt: skip
@click.option("--open", "is_open", is_flag=True, required=True, help="Open data: what may be published.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the data package.")
@click.option("--previous", type=click.Path(path_type=Path),
              help="Folder of the previous edition; the one in OUT by default.")  # fmt: skip
@click.option("--resolution", type=click.IntRange(0, 15), help="H3 resolution; the finest by default.")
@click.option("--licence", type=click.Choice(["CC-BY-4.0", "CC0-1.0", "ODbL-1.0"]), default="CC-BY-4.0",
              show_default=True)  # fmt: skip
@click.option("--publisher", default="Hải Đăng", show_default=True, help="Who publishes.")
@click.option("--url", help="Address under which the folder will be served, for the portal.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    path: Path, is_open: bool, out: Path, previous: Path | None, resolution: int | None, licence: str, publisher: str,
    url: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Write hexagon × month × operator × technology as CSV, Parquet and GeoJSON with dictionary and DCAT.

    Only rows of at least 5 tests and 3 devices, only closed months. Rows of the previous edition stay as they were.

    \b
    haidang-analysis export --open --archive ./archive --out ./open
    haidang-analysis export --open --archive ./archive --out ./open --publisher "UBND Hải Phòng" --url https://data.example/4g5g
    """
    from analysis.opendata import files, metadata, release
    from archive.store import Archive

    if url is not None and not _URL.match(url):
        raise ConfigError(f"--url: Invalid URL {url!r}. http or https, a host, a port and a path at most.")
    with Archive(path) as archive:
        hexagons = archive.read_result("hexagons")
    if hexagons is None:
        raise ConfigError(
            f"Invalid archive {str(path)!r}. No hexagons yet. Run: haidang-analysis rate --archive {path}"
        )
    now = datetime.now(UTC)
    fresh = release.rows(hexagons, now.date(), resolution)
    earlier = _edition(previous if previous is not None else out, must_exist=previous is not None)
    edition = fresh if earlier is None else release.follow(fresh, earlier)
    written = files.write(edition.frame, out)
    terms = metadata.Terms(metadata.LICENCES[licence], publisher, url.rstrip("/") if url else None, now)
    for name, value in (
        ("datapackage.json", metadata.data_package(edition, written, terms)),
        ("dcat.jsonld", metadata.dcat(edition, written, terms)),
    ):
        (out / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (out / "README.md").write_text(metadata.readme(edition, terms), "utf-8")
    told = {
        "rows": edition.frame.height, "held_back": edition.held_back_count, "kept_as_published": edition.kept_count,
        "withdrawn": edition.withdrawn_count, "months": edition.months, "open_months": edition.open_months,
        "resolution": edition.resolution, "files": [file.path for file in written], "out": str(out),
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(
        f"{out}: {told['rows']} rows over {', '.join(edition.months) or 'no closed month'}, {len(written)} files"
    )
    click.echo(f"held back below the floors (5 tests, 3 devices): {edition.held_back_count}")
    if earlier is not None:
        click.echo(f"kept as published: {edition.kept_count}, withdrawn: {edition.withdrawn_count}")
    if edition.open_months:
        click.echo(f"not closed yet: {', '.join(edition.open_months)}")


def _edition(folder: Path, *, must_exist: bool) -> pl.DataFrame | None:
    table = folder / "data" / "hexagons.parquet"
    if table.is_file():
        return pl.read_parquet(table, glob=False)
    if must_exist:
        raise ConfigError(f"--previous: Invalid folder {str(folder)!r}. No data/hexagons.parquet there.")
    return None
