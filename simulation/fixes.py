"""Reported positions: each spot seen through its receiver's error, with the areas and the hexagon it falls into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt
import shapely

from measurement.geography import Layer
from simulation.panel import FIX_ERROR_M, Spots
from simulation.plane import to_sphere
from simulation.settlement import shape_of

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FIXES_A_SPOT = 2
H3_RESOLUTION = 10


class Fixes(NamedTuple):
    """One value a fix; those of spot s are `FIXES_A_SPOT`·s and on. `areas` (n, layers) are numbers, −1 outside."""

    longitude_deg: Reals
    latitude_deg: Reals
    accuracy_m: Reals
    h3_cell: npt.NDArray[np.int64]
    areas: Integers


def locate(points: Reals, layers: Sequence[Layer]) -> Integers:
    """Return the number of the area of each layer that holds each point (n, 2) in metres: shape (n, layers)."""
    found = np.full((len(points), len(layers)), -1, dtype=np.int64)
    for column, layer in enumerate(layers):
        for number, area in reversed(list(enumerate(layer.areas))):
            shape = shape_of(area)
            shapely.prepare(shape)
            west, south, east, north = shape.bounds
            x, y = points[:, 0], points[:, 1]
            rows = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
            found[rows[shapely.intersects_xy(shape, x[rows], y[rows])], column] = number
    return found


def cells(longitude_deg: Reals, latitude_deg: Reals, resolution: int = H3_RESOLUTION) -> npt.NDArray[np.int64]:
    """Return the H3 cells of points as integers.

    Examples
    --------
    >>> hex(cells(np.array([106.68]), np.array([20.86]))[0])[:4]
    '0x8a'
    """
    to_cell = h3.latlng_to_cell
    return np.array(
        [to_cell(y, x, resolution) for x, y in zip(longitude_deg.tolist(), latitude_deg.tolist(), strict=True)],
        dtype=np.int64,
    )


def fix(spots: Spots, is_exact: npt.NDArray[np.bool_], layers: Sequence[Layer], rng: np.random.Generator) -> Fixes:
    """Draw the reported positions of spots; those of `is_exact` spots (fixed probes) carry no error."""
    repeated = np.repeat(np.arange(len(spots.points)), FIXES_A_SPOT)
    deviation = np.array([FIX_ERROR_M[kind] for kind in range(3)])[spots.environment[repeated]]
    accuracy = np.where(is_exact[repeated], 5.0, deviation * rng.lognormal(0, 0.4, len(repeated)))
    error = np.where(is_exact[repeated, None], 0.0, rng.normal(0, 1, (len(repeated), 2)) * accuracy[:, None] / 1.5)
    points = spots.points[repeated] + error
    sphere = to_sphere(points).round(6)
    return Fixes(
        longitude_deg=sphere[:, 0],
        latitude_deg=sphere[:, 1],
        accuracy_m=accuracy.round(1),
        h3_cell=cells(sphere[:, 0], sphere[:, 1]),
        areas=locate(points, layers),
    )
