"""`haidang-analysis rate`: rate areas, base stations, operators."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import polars as pl

from analysis import rate as rating
from analysis import tables, thresholds
from archive.store import Archive


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        click.echo(f"\r{done}/{total} days", err=True, nl=done == total)


@click.command("rate")
@click.option(
    "--archive",
    "path",
    required=True,
    envvar="HAIDANG_ARCHIVE",
    type=click.Path(path_type=Path),
    help="Archive directory.",
)
@click.option("--layer", help="Show this layer only.")
@click.option("--period", default="all", show_default=True, help="Show this period: all, or a month such as 2026-05.")
@click.option("--operator", default="*", show_default=True, help="Show this operator; * for all together.")
@click.option(
    "--technology", default="*", show_default=True, help="Show this class: 5g, 4g, 3g, 2g; * for all together."
)
@click.option(
    "--country", default=thresholds.DEFAULT_COUNTRY, show_default=True, help="Thresholds: a country, or a TOML file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, one a row.")
def command(
    path: Path, layer: str | None, period: str, operator: str, technology: str, country: str, as_json: bool
) -> None:
    """Rate areas, base stations and operators; write the tables into the archive.

    \b
    haidang-analysis rate --archive ./archive
    haidang-analysis rate --archive ./archive --layer communes-2025 --operator Viettel --technology 5g --json
    """
    with Archive(path) as archive:
        written = rating.rate(archive, thresholds.load(country), _progress)
        for name, frame in written.items():
            archive.write_result(name, frame)
        layers = archive.layers()
    shown = written["area_ratings"].filter(
        (pl.col("period") == period) & (pl.col("operator") == operator) & (pl.col("technology") == technology)
    )
    if layer is not None:
        shown = shown.filter(pl.col("layer") == layer)
    if as_json:
        click.echo(shown.write_ndjson(), nl=False)
        return
    names = {area.key: area.name for each in layers for area in each.areas}
    click.echo(tables.ratings(shown, ("layer", "area"), names))
    click.echo()
    excluded = written["exclusions"].sort("scope", "count", descending=[False, True])
    click.echo(tables.grid(("scope", "reason", "records"), [[str(v) for v in row] for row in excluded.iter_rows()]))
