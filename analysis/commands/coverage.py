"""`haidang-analysis coverage`: signal surfaces and holes between the samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import polars as pl

from analysis import results, thresholds
from analysis.coverage import direction, run, tables
from analysis.coverage.cells import RESOLUTION
from analysis.coverage.kpis import SURFACES
from analysis.coverage.plane import Plane
from analysis.coverage.samples import located
from analysis.holes import cells as cells_of_holes
from analysis.holes import people, polygons
from analysis.output import archive_option, emit, json_option, out_option, progress
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.geography import BaseStation, Layer

EXAMPLES = """\b
Examples:
  haidang-analysis coverage --archive ./archive
  haidang-analysis coverage --archive ./archive --operator Viettel --technology 5g --kpi rsrp --picture viettel.png
  haidang-analysis coverage --archive ./archive --resolution 10 --out coverage.parquet
  haidang-analysis coverage --archive ./archive --population people.csv --anisotropy 1.5@75
"""


@click.command("coverage", epilog=EXAMPLES)
@archive_option
@click.option("--operator", help="This operator only. [default: every one]")
@click.option("--technology", help="This class only: 5g, 4g, 3g, 2g. [default: every one]")
@click.option(
    "--kpi",
    "kpis",
    multiple=True,
    type=click.Choice([row.kpi for row in SURFACES]),
    help="This KPI; may be repeated. [default: all]",
)
@click.option(
    "--resolution",
    default=RESOLUTION,
    show_default=True,
    type=click.IntRange(7, 11),
    help="H3 resolution of the cells.",
)
@click.option("--country", default=thresholds.DEFAULT_COUNTRY, show_default=True, help="Thresholds: country or file.")
@click.option("--seed", default=1, show_default=True, help="Draws the blocks that are validated where there are many.")
@click.option(
    "--anisotropy",
    default="fitted",
    show_default=True,
    metavar="fitted|none|RATIO@BEARING",
    help="How much farther values stay alike along a bearing than across it.",
)
@click.option(
    "--population",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="CSV of key and population of areas, for the people in holes.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the first surface with its sigma beside it into this PNG.",
)
@json_option
@out_option
def command(
    path: Path, operator: str | None, technology: str | None, kpis: tuple[str, ...], resolution: int, country: str,
    seed: int, anisotropy: str, population: Path | None, picture: Path | None, as_json: bool, out: Path | None,
) -> None:  # fmt: skip
    """Draw surfaces of signal and speed with their uncertainty, validated; write the tables into the archive."""
    limits, stretch = thresholds.load(country), direction.parse(anisotropy)
    inhabitants = {} if population is None else people.read(population)
    with Archive(path) as archive:
        layers = people.settled(archive.layers(), inhabitants)
        rows = located(archive, limits, progress=progress).rows
        for column, wanted in (("operator", operator), ("technology", technology)):
            rows = rows if wanted is None else rows.filter(pl.col(column) == wanted)
        registry = archive.base_stations()
        names = kpis or tuple(row.kpi for row in SURFACES)
        drawn: list[run.Drawn] = []
        parts = [pl.DataFrame(schema=results.schema("coverage"))]
        for one, plane in run.draw(rows, registry, names, seed, progress, stretch):
            if not drawn:
                cells = run.cells_of(rows, plane, resolution)
                counts = run.counts_of(rows, resolution)
            drawn.append(one)
            parts.append(run.table(one, cells, counts, resolution, limits))
            if picture is not None and one.surface is not None:
                _draw(picture, one, plane, registry)
                picture = None
        covered = pl.concat(parts)
        zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
        holes = _holes(rows, limits, zone, layers, registry)
        archive.write_result("coverage", covered)
        archive.write_result("holes", holes)
        archive.write_result("coverage_validation", tables.validation(drawn))
    names_of = {(layer.key, area.key): area.name for layer in layers for area in layer.areas}
    said = "\n\n".join((tables.text(drawn, covered), tables.holes_text(holes, names_of)))
    emit(covered, said, as_json=as_json, out=out, layers=layers)


def _holes(
    rows: pl.DataFrame, limits: thresholds.Thresholds, zone: str, layers: Sequence[Layer],
    registry: Sequence[BaseStation],
) -> pl.DataFrame:  # fmt: skip
    if rows.is_empty():
        return pl.DataFrame(schema=results.schema("holes"))
    collapsed = cells_of_holes.collapse(cells_of_holes.judged(rows, limits), zone)
    return polygons.table(cells_of_holes.failing(collapsed), collapsed, layers, registry)


def _draw(path: Path, one: run.Drawn, plane: Plane, registry: list[BaseStation]) -> None:
    from analysis.coverage.picture import draw

    draw(path, one, plane, registry)
