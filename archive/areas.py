"""Point in polygon for one layer: exact, and fast enough for a million points a second.

A grid of labels answers for cells that lie wholly inside one area or touch none; points in the cells along borders
take the exact test. The cells come from halving a square again and again, wherever it touches a border. A point on
a border, or where areas overlap, belongs to the first of them in the layer's order.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from measurement.geography import Area, Layer

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]

_NONE, _MIXED = -1, -2
_LEVELS = 10  # 1,024 × 1,024 cells: in Hải Phòng some 100 m, so 3 in 100 points of a commune lie in a border cell


def _shape(area: Area) -> Any:
    polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in area.polygons]
    shape = shapely.MultiPolygon(polygons) if len(polygons) > 1 else polygons[0]
    return shape if shape.is_valid else shapely.make_valid(shape)


class AreaIndex:
    """The areas of one layer, ready to be asked."""

    def __init__(self, layer: Layer, levels: int = _LEVELS) -> None:
        """Prepare the polygons; the grid is made when it first pays."""
        self.key = layer.key
        self.keys = [area.key for area in layer.areas]
        self._names = np.array([*self.keys, None], dtype=object)
        self._shapes = np.array([_shape(area) for area in layer.areas], dtype=object)
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)
        west, south, east, north = shapely.total_bounds(self._shapes)
        self._west, self._south = west, south
        cells = 1 << levels
        self._cells = cells
        # One part in a million more, so that the eastern and northern edge fall into the last cell.
        self._width = (east - west) * 1.000001 / cells or 1e-9
        self._height = (north - south) * 1.000001 / cells or 1e-9
        self._grid: Indices | None = None
        self._lock = threading.Lock()

    def locate(self, longitude: Floats, latitude: Floats) -> Indices:
        """Return the position of each point's area in the layer, -1 outside all."""
        if self._grid is None and len(longitude) < 20_000:
            return self._exact(longitude, latitude)
        grid = self._grid if self._grid is not None else self._built()
        column = np.floor((longitude - self._west) / self._width)
        row = np.floor((latitude - self._south) / self._height)
        inside = (column >= 0) & (column < self._cells) & (row >= 0) & (row < self._cells)
        flat = np.where(inside, row * self._cells + column, 0).astype(np.int64)
        found = np.where(inside, grid[flat], _NONE).astype(np.int32)
        mixed = np.flatnonzero(found == _MIXED)
        if len(mixed):
            found[mixed] = self._exact(longitude[mixed], latitude[mixed])
        return found

    def area(self, longitude: float, latitude: float) -> str | None:
        """Return the key of one point's area; some 1 µs inside a cell of the grid, 20 µs at a border."""
        if self._grid is None:
            index = self._exact_one(longitude, latitude)
            return None if index == _NONE else self.keys[index]
        column = math.floor((longitude - self._west) / self._width)
        row = math.floor((latitude - self._south) / self._height)
        if not (0 <= column < self._cells and 0 <= row < self._cells):
            return None
        index = int(self._grid[row * self._cells + column])
        if index == _MIXED:
            index = self._exact_one(longitude, latitude)
        return None if index == _NONE else self.keys[index]

    def areas(self, longitude: Floats, latitude: Floats) -> npt.NDArray[np.object_]:
        """Return the key of each point's area, None outside all."""
        return self._names[self.locate(longitude, latitude)]

    def _exact_one(self, longitude: float, latitude: float) -> int:
        candidates = np.sort(self._tree.query(shapely.Point(longitude, latitude)))
        hit = (int(area) for area in candidates if shapely.intersects_xy(self._shapes[area], longitude, latitude))
        return next(hit, _NONE)

    def _exact(self, longitude: Floats, latitude: Floats) -> Indices:
        found = np.full(len(longitude), _NONE, dtype=np.int32)
        if not len(longitude):
            return found
        # Candidates by bounding box, then one call a polygon: shapely prepares the polygon's side only.
        point, area = self._tree.query(shapely.points(longitude, latitude))
        order = np.argsort(area, kind="stable")
        point, area = point[order], area[order]
        starts = np.flatnonzero(np.diff(area, prepend=-1)) if len(area) else area
        for start, end in zip(starts, [*starts[1:], len(area)][: len(starts)], strict=True):
            index = int(area[start])
            asked = point[start:end]
            asked = asked[found[asked] == _NONE]
            hit = shapely.intersects_xy(self._shapes[index], longitude[asked], latitude[asked])
            found[asked[hit]] = index
        return found

    def _built(self) -> Indices:
        with self._lock:
            if self._grid is None:
                self._grid = self._build()
            return self._grid

    def build(self) -> None:
        """Make the grid now; others may ask meanwhile."""
        self._built()

    def _build(self) -> Indices:
        grid = np.full((self._cells, self._cells), _NONE, dtype=np.int32)
        size = self._cells
        rows, columns = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        while len(rows):
            label = self._classify(rows, columns, size)
            for row, column, value in zip(rows, columns, label, strict=True):
                if value != _NONE and (size == 1 or value != _MIXED):
                    grid[row : row + size, column : column + size] = value
            if size == 1:
                break
            mixed = label == _MIXED
            size //= 2
            rows = (rows[mixed][:, None] + np.array([0, 0, size, size])).ravel()
            columns = (columns[mixed][:, None] + np.array([0, size, 0, size])).ravel()
        return grid.ravel()

    def _classify(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], size: int) -> Indices:
        """Label squares: the one area that wholly contains them, none, or mixed."""
        # A hair wider than the cell, so that rounding in `locate` cannot carry a point over an edge unseen.
        hair_x, hair_y = self._width * 1e-6, self._height * 1e-6
        west = self._west + columns * self._width - hair_x
        south = self._south + rows * self._height - hair_y
        boxes = shapely.box(
            west, south, west + size * self._width + 2 * hair_x, south + size * self._height + 2 * hair_y
        )
        label = np.full(len(rows), _NONE, dtype=np.int32)
        box, area = self._tree.query(boxes)
        for index in np.unique(area):
            asked = box[area == index]
            shape = self._shapes[index]
            whole = shapely.contains_properly(shape, boxes[asked])
            touched = whole | shapely.intersects(shape, boxes[asked])
            fresh = label[asked] == _NONE
            label[asked] = np.where(touched, np.where(fresh & whole, index, _MIXED), label[asked])
        return label
