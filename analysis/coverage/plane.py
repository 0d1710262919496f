"""A local plane in metres around a centre, good to 0.1 % over a province (equirectangular)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EARTH_M = 6_371_008.8
"""Mean radius of the Earth, IUGG."""


class Plane(NamedTuple):
    """Centre of the plane in degrees."""

    longitude_deg: float
    latitude_deg: float

    def project(self, longitude_deg: Any, latitude_deg: Any) -> Floats:
        """Return metres east and north of the centre, shape (n, 2).

        Examples
        --------
        >>> Plane(106.0, 0.0).project([106.001], [0.0]).round(1).tolist()
        [[111.2, 0.0]]
        """
        scale = np.pi / 180 * EARTH_M
        east = (np.asarray(longitude_deg, float) - self.longitude_deg) * scale * np.cos(np.radians(self.latitude_deg))
        north = (np.asarray(latitude_deg, float) - self.latitude_deg) * scale
        return np.stack((east, north), -1)

    def locate(self, points: Floats) -> tuple[Floats, Floats]:
        """Return longitude and latitude in degrees of points in metres, shape (n, 2)."""
        scale = np.pi / 180 * EARTH_M
        longitude = self.longitude_deg + points[..., 0] / scale / np.cos(np.radians(self.latitude_deg))
        return np.asarray(longitude), np.asarray(self.latitude_deg + points[..., 1] / scale)


def plane_of(longitude_deg: Any, latitude_deg: Any) -> Plane:
    """Return the plane around the middle of some positions."""
    x, y = np.asarray(longitude_deg, float), np.asarray(latitude_deg, float)
    return Plane(float((x.min() + x.max()) / 2), float((y.min() + y.max()) / 2))
