"""Faults of a registry of base stations that its own numbers betray: shifted decimals, swapped coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from measurement.geography import BaseStation

FAR_DEG = 1.0
"""A station this far from the middle of its registry, on either axis, is looked at (about 110 km; evidence D)."""

NEAR_DEG = 0.2
COMPANY = 3
"""A station with this many others within 0.2 degrees is not alone (evidence D)."""


class RegistryFinding(NamedTuple):
    """What looks wrong with a station's position."""

    id: str
    field: str
    value: float
    suggestion: float | None
    reason: str


def _candidates(value: float, other: float) -> Iterator[tuple[float, str]]:
    for factor in (10.0, 100.0, 1000.0, 0.1, 0.01, 0.001):
        yield value * factor, "decimal point shifted"
    yield -value, "sign turned"
    yield other, "longitude and latitude swapped"


def registry_findings(stations: Sequence[BaseStation]) -> list[RegistryFinding]:
    """Name the stations whose position cannot be meant, with what it looks like where there is one reading.

    Examples
    --------
    >>> def at(id, longitude, latitude):
    ...     return BaseStation(id=id, operator='A', technology='lte', longitude_deg=longitude, latitude_deg=latitude)
    >>> fleet = [at('a', 18.5, -34.1), at('b', 18.6, -34.0), at('c', 18.55, -34.2), at('d', 18.5, -3.489)]
    >>> [(f.id, f.field, f.value, f.suggestion, f.reason) for f in registry_findings(fleet)]
    [('d', 'latitude_deg', -3.489, -34.89, 'decimal point shifted')]
    """
    if len(stations) < 3:
        return []
    points = np.array([(s.longitude_deg, s.latitude_deg) for s in stations])
    middle = np.median(points, axis=0)
    found = []
    for station, point in zip(stations, points, strict=True):
        # An island far away has several stations; a wrong number stands alone.
        if int((np.abs(points - point).max(1) < NEAR_DEG).sum()) > COMPANY:
            continue
        for axis, field in enumerate(("longitude_deg", "latitude_deg")):
            value = float(point[axis])
            if abs(value - middle[axis]) <= FAR_DEG:
                continue
            readings = [
                (round(candidate, 9), reason)
                for candidate, reason in _candidates(value, float(point[1 - axis]))
                if abs(candidate - middle[axis]) <= FAR_DEG
            ]
            suggestion, reason = readings[0] if readings else (None, "far from every other station")
            found.append(RegistryFinding(station.id, field, value, suggestion, reason))
    return found
