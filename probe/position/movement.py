"""Movement through a test: the distance covered, and the environment that a speed implies."""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt
from statistics import median

from measurement.record import Position
from measurement.vocabulary import Environment

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
MOVING_MPS = 1.5  # a brisk walk; GNSS noise at rest stays below it
STATIC_ACCURACY_M = 25.0  # a sky view good enough to say "outdoors"; indoors fixes are worse or absent


def distance_m(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """Return the great-circle distance between two points in degrees (haversine)."""
    south, north = radians(latitude), radians(other_latitude)
    half = sin((north - south) / 2) ** 2
    half += cos(south) * cos(north) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(half)))


def between_m(a: Position, b: Position) -> float:
    """Return the distance between two positions."""
    return distance_m(a.longitude_deg, a.latitude_deg, b.longitude_deg, b.latitude_deg)


def moved_m(fixes: Sequence[Position]) -> float:
    """Return the length of the way through the fixes.

    A step shorter than the fixes' own accuracy is noise and waits until it has grown: a probe at rest does not move.
    """
    length = 0.0
    if not fixes:
        return length
    last = fixes[0]
    for fix in fixes[1:]:
        step = between_m(last, fix)
        if step > max(last.accuracy_m or 0.0, fix.accuracy_m or 0.0):
            length += step
            last = fix
    return length


def environment_of(fixes: Sequence[Position]) -> Environment | None:
    """Infer the environment: moving by speed, static outdoors by a good GNSS fix at rest, else unknown.

    Indoors is never inferred: a weak fix has many reasons. The user says it.
    """
    speeds = [fix.speed_mps for fix in fixes if fix.speed_mps is not None]
    if not speeds:
        return None
    if median(speeds) >= MOVING_MPS:
        return Environment.OUTDOOR_MOVING
    accuracies = [fix.accuracy_m for fix in fixes if fix.accuracy_m is not None]
    good = bool(accuracies) and median(accuracies) <= STATIC_ACCURACY_M
    return Environment.OUTDOOR_STATIC if good else None
