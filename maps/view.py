"""What a map opens on: bounds that survive the antimeridian and an island far out at sea."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

Box = tuple[float, float, float, float]
"""West, east, south, north in degrees; east may pass 180 where the data crosses the antimeridian."""

NEAR_DEG = 0.15  # about 16 km: islands of one archipelago stay together
FAR_SHARE = 0.02  # a part that holds less of the land than this may not shrink the view
BOX_LIMIT = 4000  # pairs grow with the square: beyond, the smallest parts follow the large ones unasked


class Part(NamedTuple):
    """One polygon of an area: whose it is, its box, its size in square degrees."""

    owner: str
    box: Box
    size: float


class View(NamedTuple):
    """The box to open on, and the parts left outside it by the key of their area."""

    box: Box
    far: dict[str, Box]


def seam(longitudes: Sequence[float]) -> float:
    """Return the longitude west of which 360° are to be added, so that the points span the shorter arc.

    Examples
    --------
    >>> seam([106.0, 107.0])
    -180.0
    >>> seam([179.0, -179.0])
    179.0
    """
    if not longitudes or max(longitudes) - min(longitudes) <= 180:
        return -180.0
    ordered = sorted(set(longitudes))
    gaps = [(east - west, east) for west, east in pairwise(ordered)]
    gap, east = max(gaps)
    return east if gap > 360 - (ordered[-1] - ordered[0]) else -180.0


def unwrap(longitude: float, west: float) -> float:
    """Return the longitude on the same side of the seam as the rest.

    Examples
    --------
    >>> unwrap(-179.0, 179.0)
    181.0
    """
    return longitude + 360 if longitude < west else longitude


def around(boxes: Sequence[Box]) -> Box:
    """Return the box around boxes."""
    return min(b[0] for b in boxes), max(b[1] for b in boxes), min(b[2] for b in boxes), max(b[3] for b in boxes)


def _touch(a: Box, b: Box) -> bool:
    return a[0] - NEAR_DEG <= b[1] and b[0] - NEAR_DEG <= a[1] and a[2] - NEAR_DEG <= b[3] and b[2] - NEAR_DEG <= a[3]


def _clusters(parts: Sequence[Part]) -> list[list[Part]]:
    clusters: list[tuple[Box, list[Part]]] = []
    for part in parts:
        box, members = part.box, [part]
        apart = []
        for other_box, others in clusters:
            if _touch(box, other_box):
                box, members = around([box, other_box]), members + others
            else:
                apart.append((other_box, others))
        clusters = [*apart, (box, members)]
    return [members for _, members in clusters]


def view_of(parts: Sequence[Part]) -> View:
    """Return the box around the bulk of the land, and what lies far outside it.

    A far part stays on the map and is reached by its name; it only may not make the city a dot.
    """
    if not parts:
        return View((-180.0, 180.0, -60.0, 75.0), {})
    ordered = sorted(parts, key=lambda part: -part.size)[:BOX_LIMIT]
    clusters = _clusters(ordered)
    total = sum(part.size for part in ordered) or 1.0
    near = [cluster for cluster in clusters if sum(p.size for p in cluster) > FAR_SHARE * total] or clusters
    far: dict[str, list[Box]] = {}
    for cluster in clusters:
        if cluster not in near:
            for part in cluster:
                far.setdefault(part.owner, []).append(part.box)
    return View(
        around([part.box for cluster in near for part in cluster]), {k: around(v) for k, v in sorted(far.items())}
    )
