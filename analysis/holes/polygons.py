"""Neighbouring failing cells as one hole: polygon, surface, people, nearest station, who is better there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h3
import numpy as np
import polars as pl
import shapely

from analysis import results
from analysis.coverage.plane import EARTH_M
from analysis.holes.cells import LEVEL
from measurement.geography import BaseStation, Layer

_SHARE_BETTER = LEVEL
_TESTS_BETTER = 10


def _name(cell: int) -> str:
    return f"{cell:x}"


def groups(cells: Sequence[int]) -> list[list[int]]:
    """Join cells that touch.

    Examples
    --------
    >>> middle = h3.str_to_int(h3.latlng_to_cell(20.86, 106.68, 8))
    >>> ring = [h3.str_to_int(c) for c in h3.grid_ring(h3.int_to_str(middle), 1)]
    >>> far = h3.str_to_int(h3.latlng_to_cell(21.0, 106.9, 8))
    >>> sorted(len(g) for g in groups([middle, ring[0], far]))
    [1, 2]
    """
    left, found = set(cells), []
    while left:
        todo, hole = [min(left)], []
        left.discard(todo[0])
        while todo:
            cell = todo.pop()
            hole.append(cell)
            for near in h3.grid_disk(_name(cell), 1):
                number = h3.str_to_int(near)
                if number in left:
                    left.discard(number)
                    todo.append(number)
        found.append(sorted(hole))
    return found


def _shape(cells: Sequence[int]) -> Any:
    shapes = [shapely.Polygon([(x, y) for y, x in h3.cell_to_boundary(_name(cell))]) for cell in cells]
    joined = shapely.union_all(shapes)
    return joined if joined.geom_type == "MultiPolygon" else shapely.MultiPolygon([joined])


def square_km(shape: Any) -> float:
    """Return the surface of a small shape in degrees."""
    scale = (np.pi / 180 * EARTH_M / 1000) ** 2
    return float(shape.area * scale * np.cos(np.radians(shape.centroid.y)))


def _place(layers: Sequence[Layer]) -> tuple[Layer | None, list[Any]]:
    """Return the layer with the most areas, and their shapes."""
    layer = max(layers, key=lambda one: len(one.areas), default=None)
    shapes = [] if layer is None else [
        shapely.make_valid(shapely.MultiPolygon([(rings[0], rings[1:]) for rings in area.polygons]))
        for area in layer.areas
    ]  # fmt: skip
    return layer, shapes


def _people(shape: Any, layer: Layer | None, shapes: list[Any]) -> float | None:
    """Return who lives inside, spreading each area's people evenly over it."""
    if layer is None:
        return None
    total, known = 0.0, False
    for area, polygon in zip(layer.areas, shapes, strict=True):
        if area.population is not None and polygon.intersects(shape):
            total += area.population * shape.intersection(polygon).area / polygon.area
            known = True
    return total if known else None


def _nearest(shape: Any, operator: str, registry: Sequence[BaseStation]) -> tuple[str | None, float | None]:
    own = [station for station in registry if station.operator == operator]
    if not own:
        return None, None
    middle = shape.centroid
    metres = [h3.great_circle_distance((middle.y, middle.x), (s.latitude_deg, s.longitude_deg), unit="m") for s in own]
    at = int(np.argmin(metres))
    return own[at].id, float(metres[at])


def _better(cells: Sequence[int], operator: str, collapsed: pl.DataFrame) -> str:
    """Return the operators whose tests in the same cells pass."""
    inside = collapsed.filter(pl.col("cell").is_in(list(cells)) & (pl.col("operator") != operator))
    others = inside.group_by("operator").agg(pl.col("failed").mean(), pl.len())
    passing = others.filter((pl.col("failed") <= _SHARE_BETTER) & (pl.col("len") >= _TESTS_BETTER))
    return ",".join(sorted(passing["operator"].to_list()))


def table(
    failing: pl.DataFrame, collapsed: pl.DataFrame, layers: Sequence[Layer], registry: Sequence[BaseStation]
) -> pl.DataFrame:
    """Return the `holes` table, the largest first.

    Parameters
    ----------
    failing, collapsed
        Cells that fail, and every collapsed test (`holes.cells`).
    layers, registry
        Areas and stations.
    """
    layer, shapes = _place(layers)
    rows = []
    for (operator, technology), part in failing.group_by("operator", "technology", maintain_order=True):
        by_cell = {row["cell"]: row for row in part.iter_rows(named=True)}
        for cells in groups(list(by_cell)):
            own = [by_cell[cell] for cell in cells]
            shape = _shape(cells)
            middle = shape.representative_point()
            inside = [n for n, polygon in enumerate(shapes) if polygon.contains(middle)]
            station, metres = _nearest(shape, str(operator), registry)
            best = min(own, key=lambda row: row["p_value"])
            rows.append(
                {
                    "hole": f"{operator}-{technology}-{_name(cells[0])}",
                    "operator": operator, "technology": technology, "geometry": shapely.to_geojson(shape),
                    "longitude_deg": middle.x, "latitude_deg": middle.y,
                    "layer": layer.key if layer and inside else None,
                    "area": layer.areas[inside[0]].key if layer and inside else None,
                    "area_km2": square_km(shape), "people": _people(shape, layer, shapes),
                    "failures": sum(row["failures"] for row in own), "tests": sum(row["tests"] for row in own),
                    "p_value": best["p_value"], "q_value": best["q_value"],
                    "hours": ",".join(f"{h:02d}" for h in sorted({h for row in own for h in row["hours"]})),
                    "subcells_count": sum(row["subcells_count"] for row in own),
                    "nearest_bts": station, "nearest_bts_m": metres,
                    "neighbours": _better(cells, str(operator), collapsed),
                    "is_simulated": any(row["is_simulated"] for row in own),
                }
            )  # fmt: skip
    frame = pl.DataFrame(rows, schema=results.schema("holes"), orient="row") if rows else None
    if frame is None:
        return pl.DataFrame(schema=results.schema("holes"))
    return frame.sort("people", "area_km2", descending=True, nulls_last=True)
