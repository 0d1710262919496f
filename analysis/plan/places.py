"""Places where a test can be made: cells near earlier tests or stations, since people and roads are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import h3
import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from analysis.coverage.cells import RESOLUTION
from analysis.results import ALL
from measurement.geography import BaseStation, Layer

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PER_AREA = 24
"""Places offered in each area at most: the least measured of those spread over it."""


class Places(NamedTuple):
    """Candidate places as columns: H3 cell, position, number of the area in the layer, tests made there so far."""

    cell: list[str]
    longitude_deg: Floats
    latitude_deg: Floats
    area: Ints
    tests: Floats


def _counts(hexagons: pl.DataFrame | None) -> dict[str, float]:
    if hexagons is None:
        return {}
    whole = hexagons.filter(
        (pl.col("resolution") == RESOLUTION) & (pl.col("operator") == ALL) & (pl.col("technology") == ALL)
    )
    seen = whole.group_by("h3_cell").agg(pl.col("samples_count").max())
    return {cell: float(count) for cell, count in seen.iter_rows()}


def area_numbers(layer: Layer, longitude_deg: Floats, latitude_deg: Floats) -> Ints:
    """Return the number of the area that holds each position, -1 where none does."""
    shapes = [shapely.MultiPolygon([(rings[0], rings[1:]) for rings in area.polygons]) for area in layer.areas]
    tree = shapely.STRtree(shapes)
    point, area = tree.query(shapely.points(longitude_deg, latitude_deg), predicate="within")
    result = np.full(len(longitude_deg), -1, np.int64)
    result[point] = area
    return result


def _inside(layer: Layer, number: int) -> str:
    area = layer.areas[number]
    middle = shapely.MultiPolygon([(rings[0], rings[1:]) for rings in area.polygons]).representative_point()
    return str(h3.latlng_to_cell(middle.y, middle.x, RESOLUTION))


def candidates(layer: Layer, hexagons: pl.DataFrame | None, registry: Sequence[BaseStation]) -> Places:
    """Return the places of a layer.

    Parameters
    ----------
    layer
        Areas.
    hexagons
        The `hexagons` table; None where nothing was rated.
    registry
        Base stations: where they stand, people are.
    """
    counts = _counts(hexagons)
    seeds = set(counts) | {h3.latlng_to_cell(s.latitude_deg, s.longitude_deg, RESOLUTION) for s in registry}
    near = sorted({cell for seed in seeds for cell in h3.grid_disk(seed, 1)})
    own = [_inside(layer, number) for number in range(len(layer.areas))]
    names = [*near, *own]
    centre = np.array([h3.cell_to_latlng(cell) for cell in names])
    area = area_numbers(layer, centre[:, 1], centre[:, 0])
    area[len(near) :] = np.arange(len(own))
    tests = np.array([counts.get(cell, 0.0) for cell in names])
    # Spread: cells whose coarser parent was offered already come later.
    frame = pl.DataFrame(
        {"place": np.arange(len(names)), "area": area, "tests": tests,
         "parent": [h3.cell_to_parent(cell, RESOLUTION - 2) for cell in names], "cell": names}
    ).filter(pl.col("area") >= 0).unique("cell", keep="first", maintain_order=True)  # fmt: skip
    spread = (
        frame.sort("tests", "cell")
        .with_columns(pl.int_range(pl.len()).over("area", "parent").alias("turn"))
        .sort("turn", "tests", "cell")
        .group_by("area", maintain_order=True)
        .head(PER_AREA)
    )
    kept = spread["place"].to_numpy()
    return Places([names[i] for i in kept], centre[kept, 1], centre[kept, 0], area[kept], tests[kept])
