"""Layers of areas made small enough for a page: simplified as a coverage, quantised, delta-coded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from maps.coast import coast
from maps.view import Part, View, seam, unwrap, view_of
from measurement.geography import Layer, corners

QUANTUM_DEG = 1e-5  # about a metre
POINT_LIMIT = 20_000  # points of one layer on a page: 114 communes stay recognisable at street level
FIRST_TOLERANCE_DEG = 5e-5
METRES_PER_DEG = 111_320.0


class Shaped(NamedTuple):
    """A layer ready to draw. `geometries` follow `layer.areas`."""

    layer: Layer
    geometries: list[MultiPolygon]
    view: View
    point_count: int
    drawn_count: int
    tolerance_m: float

    @property
    def is_simplified(self) -> bool:
        """Tell whether what is drawn is coarser than what was given."""
        return self.drawn_count < self.point_count


def _multi(polygons: Sequence[Sequence[Sequence[tuple[float, float]]]], west: float) -> MultiPolygon:
    made = [
        Polygon([(unwrap(x, west), y) for x, y in rings[0]], [[(unwrap(x, west), y) for x, y in r] for r in rings[1:]])
        for rings in polygons
    ]
    return _polygonal(shapely.make_valid(MultiPolygon(made)))


def _polygonal(geometry: Any) -> MultiPolygon:
    """Keep the polygons of whatever validation or simplification returned."""
    parts = [g for g in shapely.get_parts(shapely.get_parts([geometry])) if isinstance(g, Polygon) and not g.is_empty]
    if not parts:
        parts = [
            p for g in shapely.get_parts([geometry]) for p in shapely.get_parts(g) if isinstance(p, Polygon) and p.area
        ]
    return MultiPolygon(parts)


def _simplify(geometries: list[MultiPolygon], tolerance: float, is_coverage: bool) -> list[MultiPolygon]:
    if is_coverage:
        simple = shapely.coverage_simplify(np.array(geometries, dtype=object), tolerance)
    else:  # overlapping areas share no borders to keep
        simple = shapely.simplify(np.array(geometries, dtype=object), tolerance, preserve_topology=True)
    return [_polygonal(new) if not new.is_empty else old for new, old in zip(simple, geometries, strict=True)]


def _points(geometries: list[MultiPolygon]) -> int:
    return int(np.sum(shapely.get_num_coordinates(np.array(geometries, dtype=object)))) if geometries else 0


def shape(layer: Layer, point_limit: int = POINT_LIMIT) -> Shaped:
    """Prepare a layer: one side of the antimeridian, valid, simplified until at most `point_limit` points are left.

    Approximate areas are cut at the shore: their makers knew no coastline.
    """
    west = seam([x for area in layer.areas for x, _ in corners(area)])
    full = [_multi(area.polygons, west) for area in layer.areas]
    if layer.is_approximate:
        full = coast().ashore(full)
    drawn, tolerance = full, 0.0
    count = _points(full)
    if count > point_limit:
        is_coverage = bool(shapely.coverage_is_valid(np.array(full, dtype=object)))
        step = FIRST_TOLERANCE_DEG
        while True:
            previous, drawn, tolerance = drawn, _simplify(full, step, is_coverage), step
            # A layer of many tiny squares cannot fall below its corners: stop when nothing more goes.
            if _points(drawn) <= point_limit or (_points(drawn) == _points(previous) and step > 0.01):
                break
            # Far from the limit by great strides: each pass reads every point anew.
            step *= 1.6 if _points(drawn) < 3 * point_limit else 4
    parts = [
        Part(area.key, (b[0], b[2], b[1], b[3]), float(polygon.area))
        for area, geometry in zip(layer.areas, drawn, strict=True)
        for polygon in geometry.geoms
        for b in [polygon.bounds]
    ]
    return Shaped(layer, drawn, view_of(parts), count, _points(drawn), tolerance * METRES_PER_DEG)


def label_point(geometry: MultiPolygon) -> tuple[float, float, float]:
    """Return longitude, latitude and radius in degrees of the widest circle inside, where a name fits best."""
    if geometry.is_empty:
        return 0.0, 0.0, 0.0
    largest = max(geometry.geoms, key=lambda polygon: polygon.area)
    west, south, east, north = largest.bounds
    spoke = shapely.maximum_inscribed_circle(largest, tolerance=max(east - west, north - south) / 200 or None)
    x, y = spoke.coords[0]
    return float(x), float(y), float(spoke.length)


def quantise(ring: Any) -> list[int]:
    """Return a ring as integers of `QUANTUM_DEG`: the first position, then differences.

    Examples
    --------
    >>> quantise([(0.0, 0.0), (0.00002, 0.0), (0.0, 0.0)])
    [0, 0, 2, 0, -2, 0]
    """
    whole = np.rint(np.asarray(ring, dtype=float)[:, :2] / QUANTUM_DEG).astype(np.int64)
    steps = np.vstack([whole[:1], np.diff(whole, axis=0)])
    keep = np.any(steps != 0, axis=1)
    keep[0] = True
    return [int(v) for v in steps[keep].ravel()]


def payload(shaped: Shaped) -> dict[str, Any]:
    """Return what the page needs of a layer."""
    layer = shaped.layer
    return {
        "key": layer.key,
        "title": {"en": layer.title_en, "vi": layer.title_vi},
        "is_approximate": layer.is_approximate,
        "valid_from": None if layer.valid_from is None else layer.valid_from.isoformat(),
        "valid_until": None if layer.valid_until is None else layer.valid_until.isoformat(),
        "attribution": layer.attribution,
        "box": shaped.view.box,
        "far": shaped.view.far,
        "points": [shaped.point_count, shaped.drawn_count, round(shaped.tolerance_m, 1)],
        "areas": [
            {
                "key": area.key,
                "name": {"vi": area.name, "en": area.name_en},
                "population": area.population,
                "parent": area.parent,
                "label": [round(v, 5) for v in label_point(geometry)],
                "polygons": [
                    [quantise(r.coords) for r in (polygon.exterior, *polygon.interiors)] for polygon in geometry.geoms
                ],
            }
            for area, geometry in zip(layer.areas, shaped.geometries, strict=True)
        ],
    }
