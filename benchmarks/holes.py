"""Coverage holes on simulated cities whose holes are known: how many are found, and how much found is none."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import shapely

from analysis import thresholds
from analysis.coverage.plane import Plane
from analysis.coverage.samples import located
from analysis.holes.cells import LEVEL, RESOLUTION, collapse, failing, judged
from analysis.holes.polygons import table
from analysis.partition import parent_cell
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from benchmarks import Row
from simulation import truth
from simulation.city import City, Scale

TOPIC = "holes"
HOLES, DAYS = 12, 30
WITNESSES = 30
"""Collapsed tests within a true hole from which on it is expected to be found."""
DRAWS = 200_000
FEWEST = 40
"""Draws of the truth in a cell from which on its true share of failures is known well enough to judge."""
_CELL = ("operator", "technology", "cell")


class Count(NamedTuple):
    """Holes dug, those tested enough, those found; polygons; failing cells of known truth, those truly served."""

    dug: int
    tested: int
    found: int
    polygons: int
    cells: int
    false: int


def _located(city: City, frames: Iterable[pl.DataFrame], folder: Path) -> pl.DataFrame:
    """Keep records in an archive and read them as maps do."""
    with Archive(folder, create=True) as archive:
        archive.set_layers(city.layers)
        for frame in frames:
            archive.append_frame(frame)
        return located(archive, thresholds.load()).rows


def _is_near(one: dict[str, Any], found: pl.DataFrame) -> bool:
    """Tell whether a polygon of the operator reaches into a true hole."""
    plane = Plane(one["longitude_deg"], one["latitude_deg"])
    own = found.filter(pl.col("operator") == one["operator"])
    shapes = [shapely.from_geojson(text) for text in own["geometry"]]
    flat = [shapely.transform(shape, lambda xy: plane.project(xy[:, 0], xy[:, 1])) for shape in shapes]
    return any(shapely.distance(shapely.Point(0, 0), shape) < one["radius_m"] for shape in flat)


def _witnesses(one: dict[str, Any], rows: pl.DataFrame) -> int:
    """Return the tests within half the radius of a true hole, each device once a sub-cell and hour."""
    plane = Plane(one["longitude_deg"], one["latitude_deg"])
    gap = plane.project(rows["position_longitude_deg"].to_numpy(), rows["position_latitude_deg"].to_numpy())
    inside = pl.Series(np.hypot(gap[:, 0], gap[:, 1]) < one["radius_m"] / 2) & (rows["operator"] == one["operator"])
    return rows.filter(inside).select("probe_id", "h3_cell", pl.col("started_at").dt.truncate("1h")).n_unique()


def count(seed: int, holes: int, records: int = 120_000) -> Count:
    """Dig holes into a city, measure it for a month, and compare what is found with what fresh citizens meet."""
    limits = thresholds.load()
    city = City(seed, communes=12, scale=Scale(260, 3000, 30), holes=holes)
    with TemporaryDirectory() as folder:
        rows = _located(city, city.records(records, days=DAYS, start=date(2026, 5, 1)), Path(folder) / "archive")
        drawn = truth.draw(city, DRAWS).drop("weight")
        people = _located(city, [drawn], Path(folder) / "truth")
    collapsed = collapse(judged(rows, limits), DEFAULT_TIME_ZONE)
    cells = failing(collapsed)
    polygons = table(cells, collapsed, city.layers, city.stations)
    met = judged(people, limits)
    cell = parent_cell(met["h3_cell"].to_numpy(), RESOLUTION).astype(np.int64)
    true = met.with_columns(pl.Series("cell", cell)).group_by(_CELL).agg(pl.col("failed").mean(), pl.len())
    known = cells.join(true.filter(pl.col("len") >= FEWEST), on=_CELL)
    tested = [one for one in city.hole_list() if _witnesses(one, rows) >= WITNESSES]
    hits = sum(_is_near(one, polygons) for one in tested)
    false = known.filter(pl.col("failed") <= LEVEL).height
    return Count(holes, len(tested), hits, polygons.height, known.height, false)


def run() -> list[Row]:
    """Return the row."""
    seeds = (4, 5, 6)
    total = Count(*(sum(column) for column in zip(*(count(seed, HOLES) for seed in seeds), strict=True)))
    return [
        Row(
            TOPIC, f"holes of 400-900 m dug into {len(seeds)} simulated cities of 12 communes, {DAYS} days",
            "found where tested; 5 % of cells false",
            f"{total.found} of {total.tested} that hold {WITNESSES} tests or more ({total.dug} dug); "
            f"{total.false} of {total.cells} failing cells are truly served ({100 * total.false / total.cells:.1f} %)",
            f"{total.polygons} polygons: sites too far apart make holes of their own; served means that at most one in "
            "ten of fresh citizens' tests fails",
        )
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run() if not sys.argv[1:] else [count(int(sys.argv[1]), int(sys.argv[2]))]:
        print(row)
