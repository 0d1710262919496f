"""`haidang-analysis rate`: rate areas, base stations, operators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import polars as pl

from analysis import changes, grid, series, station_series, stations, tables, thresholds
from analysis import rate as rating
from analysis.executors import executor, sensible_jobs
from analysis.explain import explain
from analysis.output import emit, out_option, progress
from archive.store import Archive
from measurement.errors import ConfigError


def _why(
    archive: Archive, limits: thresholds.Thresholds, layer: str | None, area: str, operator: str, period: str
) -> str:
    """Explain an area from the tables written last."""
    ratings, left_out = archive.read_result("area_ratings"), archive.read_result("exclusions")
    if ratings is None or left_out is None:
        raise ConfigError("--why: No ratings yet. Run haidang-analysis rate first.")
    holding = [each for each in archive.layers() if layer in (None, each.key)]
    found = [(each.key, one.name) for each in holding for one in each.areas if area in (one.key, one.name)]
    if not found:
        raise ConfigError(f"--why: Invalid area {area!r}. No area of that key or name.")
    keys = {one.name: one.key for each in holding for one in each.areas}
    own = explain(ratings, left_out, limits, found[0][0], keys.get(area, area), operator, period)
    return f"{found[0][1]} ({found[0][0]}), operator {operator}, period {period}\n\n{own}"


@contextmanager
def _records(source: str, place: tuple[str, str, str, Path | None], archive: Archive) -> Iterator[Archive]:
    """Yield the archive whose records are rated."""
    if source == "archive":
        yield archive
        return
    from analysis.influx import Place, records_of  # its client takes as long to load as all the rest

    with records_of(source, Place(*place), archive, lambda count: progress("records read", count, count)) as records:
        yield records


@click.command("rate")
@click.option("--archive", "path", required=True, envvar="HAIDANG_ARCHIVE", type=click.Path(path_type=Path),
              help="Archive directory.")  # fmt: skip
@click.option("--layer", help="Show this layer only.")
@click.option("--period", default="all", show_default=True, help="Show this period: all, or a month such as 2026-05.")
@click.option("--operator", default="*", show_default=True, help="Show this operator; * for all together.")
@click.option("--technology", default="*", show_default=True, help="Show this class: 5g, 4g, 3g, 2g; * for all.")
@click.option("--country", default=thresholds.DEFAULT_COUNTRY, show_default=True, help="Thresholds: country or file.")
@click.option(
    "--jobs", type=click.IntRange(1, 512), help="Processes on this machine. [default: what the work is worth]"
)
@click.option("--cluster", help="Address of a Dask scheduler, such as tcp://127.0.0.1:8786.")
@click.option("--by", type=click.Choice(("hour",)), help="Also rate each local hour of the day, and show these.")
@click.option("--months/--no-months", default=True, show_default=True, help="Also rate each month by itself.")
@click.option("--maps/--no-maps", default=True, show_default=True, help="Also make hexagons, series, distributions.")
@click.option("--facts/--no-facts", default=True, show_default=True, help="Also examine base stations: path loss, …")
@click.option("--source", type=click.Choice(("archive", "influx")), default="archive", show_default=True,
              help="Where the records are; areas, stations and results are in the archive all the same.")  # fmt: skip
@click.option("--influx-url", default="http://127.0.0.1:8086", show_default=True, help="With --source influx.")
@click.option("--influx-org", default="haidang", show_default=True, help="Organisation in InfluxDB.")
@click.option("--influx-bucket", default="haidang", show_default=True, help="Bucket the collector writes.")
@click.option("--influx-token-file", type=click.Path(path_type=Path), help="Else the environment's INFLUXDB_TOKEN.")
@click.option("--why", metavar="AREA", help="Explain an area (key or name) from the ratings written last.")
@out_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, one a row.")
def command(
    path: Path, layer: str | None, period: str, operator: str, technology: str, country: str, jobs: int | None,
    cluster: str | None, by: str | None, months: bool, maps: bool, facts: bool, source: str, influx_url: str,
    influx_org: str, influx_bucket: str, influx_token_file: Path | None, why: str | None, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Rate areas, base stations and operators; write the tables into the archive.

    \b
    haidang-analysis rate --archive ./archive
    haidang-analysis rate --archive ./archive --layer communes-2025 --operator Viettel --technology 5g --json
    haidang-analysis rate --archive ./archive --jobs 4 --out ratings.geojson
    haidang-analysis rate --archive ./archive --layer districts-2024 --operator Viettel --by hour
    haidang-analysis rate --archive ./archive --source influx --influx-token-file token
    haidang-analysis rate --archive ./archive --why 303 --operator Viettel
    """
    limits = thresholds.load(country)
    if why is not None:
        with Archive(path) as archive:
            click.echo(_why(archive, limits, layer, why, operator, period))
        return
    with (
        Archive(path) as archive,
        _records(source, (influx_url, influx_org, influx_bucket, influx_token_file), archive) as records,
        executor(jobs or sensible_jobs(records.count_after(0)), cluster) as pool,
    ):
        ready = rating.prepare(records, limits, pool, progress)
        owners = {station.id: station.operator for station in archive.base_stations()}
        written = rating.rate(ready, limits, owners, pool, months, by == "hour", progress)
        written["exclusions"] = rating.exclusions(ready)
        if months:
            written["changes"] = changes.changes(written["area_ratings"])
        if facts:
            written["bts_facts"] = stations.read_facts(records, progress)
        if maps:
            written["hexagons"] = grid.hexagons(ready, limits, pool, progress, months)
            written["series"] = series.series(ready, pool, progress)
            written["histograms"] = series.histograms(ready)
            written |= station_series.station_series(ready, owners, pool, progress)
        rating.write(archive, written)
        layers = archive.layers()
    shown = written["hour_ratings" if by else "area_ratings"].filter(
        (pl.lit(by is not None) | (pl.col("period") == period))
        & (pl.col("operator") == operator)
        & (pl.col("technology") == technology)
    )
    if layer is not None:
        if layer not in [each.key for each in layers]:
            raise ConfigError(f"--layer: Invalid layer {layer!r}. One of {', '.join(each.key for each in layers)}.")
        shown = shown.filter(pl.col("layer") == layer)
    names = {area.key: area.name for each in layers for area in each.areas}
    rows = [[str(v) for v in row] for row in written["exclusions"].iter_rows()]
    keys = ("layer", "area", *(["period"] * (by is not None)))
    text = f"{tables.ratings(shown, keys, names)}\n\n{tables.grid(('scope', 'reason', 'records'), rows)}"
    emit(shown, text, as_json=as_json, out=out, layers=layers)
