"""`haidang-analysis rate`: rate areas, base stations, operators."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import polars as pl

from analysis import grid, series, tables, thresholds
from analysis import rate as rating
from analysis.executors import executor
from archive.store import Archive


def progress(what: str, done: int, total: int) -> None:
    """Show on stderr how far the work is: a running line on a terminal, else its end only."""
    if sys.stderr.isatty():
        click.echo(f"\r{what}: {done}/{total} ", err=True, nl=done == total)
    elif done == total:
        click.echo(f"{what}: {total}", err=True)


@click.command("rate")
@click.option("--archive", "path", required=True, envvar="HAIDANG_ARCHIVE", type=click.Path(path_type=Path),
              help="Archive directory.")  # fmt: skip
@click.option("--layer", help="Show this layer only.")
@click.option("--period", default="all", show_default=True, help="Show this period: all, or a month such as 2026-05.")
@click.option("--operator", default="*", show_default=True, help="Show this operator; * for all together.")
@click.option("--technology", default="*", show_default=True, help="Show this class: 5g, 4g, 3g, 2g; * for all.")
@click.option("--country", default=thresholds.DEFAULT_COUNTRY, show_default=True, help="Thresholds: country or file.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 512), help="Processes on this machine.")
@click.option("--cluster", help="Address of a Dask scheduler, such as tcp://127.0.0.1:8786.")
@click.option("--months/--no-months", default=True, show_default=True, help="Also rate each month by itself.")
@click.option("--maps/--no-maps", default=True, show_default=True, help="Also make hexagons, series, distributions.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, one a row.")
def command(
    path: Path, layer: str | None, period: str, operator: str, technology: str, country: str, jobs: int,
    cluster: str | None, months: bool, maps: bool, as_json: bool,
) -> None:  # fmt: skip
    r"""Rate areas, base stations and operators; write the tables into the archive.

    \b
    haidang-analysis rate --archive ./archive
    haidang-analysis rate --archive ./archive --layer communes-2025 --operator Viettel --technology 5g --json
    """
    limits = thresholds.load(country)
    with Archive(path) as archive, executor(jobs, cluster) as pool:
        ready = rating.prepare(archive, limits, pool, progress)
        owners = {station.id: station.operator for station in archive.base_stations()}
        written = {
            "area_ratings": rating.rate_areas(ready, limits, pool, months, progress),
            "bts_ratings": rating.rate_base_stations(ready, limits, owners, pool, progress),
            "exclusions": rating.exclusions(ready),
        }
        if maps:
            written["hexagons"] = grid.hexagons(ready, limits, pool, progress)
            written["series"] = series.series(ready, pool, progress)
            written["histograms"] = series.histograms(ready)
        rating.write(archive, written)
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
    rows = [[str(v) for v in row] for row in written["exclusions"].iter_rows()]
    click.echo(tables.grid(("scope", "reason", "records"), rows))
