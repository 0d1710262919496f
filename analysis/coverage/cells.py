"""The H3 cells that a surface is asked for: those around the samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import h3
import numpy as np
import numpy.typing as npt

from analysis.coverage.plane import Plane

Floats = npt.NDArray[np.float64]

RESOLUTION = 9
"""Cells of 0.1 km²: as fine as people read a city map, and as the evidence floors allow."""
REACH_M = 750.0
"""Cells this far around samples are asked for; those beyond the mask are said to be unknown."""


class Cells(NamedTuple):
    """H3 cells with their centres in metres, shape (n, 2)."""

    names: list[str]
    centres: Floats


def _rings(resolution: int, reach_m: float) -> int:
    return int(np.ceil(reach_m / (h3.average_hexagon_edge_length(resolution, unit="m") * np.sqrt(3))))


def around(longitude_deg: Any, latitude_deg: Any, plane: Plane, resolution: int = RESOLUTION) -> Cells:
    """Return the cells within reach of some positions.

    Examples
    --------
    >>> cells = around([106.68], [20.86], Plane(106.68, 20.86))
    >>> len(cells.names), cells.names[0].startswith('89')
    (37, True)
    """
    own = {h3.latlng_to_cell(y, x, resolution) for x, y in zip(longitude_deg, latitude_deg, strict=True)}
    rings = _rings(resolution, REACH_M)
    found = sorted({near for cell in own for near in h3.grid_disk(cell, rings)})
    centres = np.array([h3.cell_to_latlng(cell) for cell in found]).reshape(-1, 2)
    return Cells(found, plane.project(centres[:, 1], centres[:, 0]))
