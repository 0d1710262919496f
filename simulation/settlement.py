"""Where people are: types of commune, villages, and draws of places. Densities are plausible, not a census."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

from measurement.errors import ConfigError
from measurement.geography import Area, Layer
from simulation.plane import to_metres

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Kind(NamedTuple):
    """One type of commune: people and 4G sites per km², whether UMa applies, and whether it has 5G.

    `village_share` of its people live about village centres `village_m` wide. `load` is the mean load of its cells.
    """

    name: str
    people_km2: float
    sites_km2: float
    is_urban: bool
    new_radio_share: float
    mast_m: float
    village_share: float
    village_m: float
    load: float


CENTRE = Kind("centre", 7_500, 4.6, True, 0.8, 26, 0.2, 500, 0.43)
TOWN = Kind("town", 1_900, 0.80, True, 0.22, 32, 0.6, 600, 0.37)
RURAL = Kind("rural", 1_050, 0.42, False, 0.02, 40, 0.75, 450, 0.32)
ISLAND = Kind("island", 90, 0.18, False, 0.05, 38, 0.9, 800, 0.26)
KINDS = (CENTRE, TOWN, RURAL, ISLAND)

# Wards of the old inner city, of Hải Dương's centre, and of the port, where 5G came first.
INNER_WARDS = frozenset({"11311", "11329", "11359", "11383", "11407", "11413", "11443", "10525", "10532", "10507"})
PORT_COMMUNES = frozenset({"11411", "11542", "11560"})
PORT_NEW_RADIO_SHARE = 0.7


def shape_of(area: Area) -> Any:
    """Return an area as one shape in metres of the plane."""
    rings = [[to_metres(*np.array(ring).T) for ring in polygon] for polygon in area.polygons]
    return shapely.make_valid(shapely.union_all([shapely.Polygon(r[0], r[1:]) for r in rings]))


def kind_of(area: Area) -> int:
    """Return the index in `KINDS` of a commune, by its code and the kind of unit in its name; else rural."""
    if area.key in INNER_WARDS:
        return 0
    return {"Phường": 1, "Xã": 2, "Đặc": 3}.get(area.name.split(" ")[0], 2)


class Zone(NamedTuple):
    """A port or industrial park: where people work, and where 5G came first."""

    shape: Any
    commune: int


class Settlement:
    """The communes of a simulated city, or a compact part of them, and the zones that lie in them.

    Attributes: `keys` their codes; `kinds` indices in `KINDS`; `people` inhabitants; `area_km2`; `shapes` in metres.
    """

    def __init__(
        self,
        layer: Layer,
        chosen: int | Sequence[str] | None,
        rng: np.random.Generator,
        zones: Sequence[Area] = (),
    ) -> None:
        areas = _choose(layer, chosen, rng)
        self.keys = [area.key for area in areas]
        self.names = [area.name for area in areas]
        self.shapes = [shape_of(area) for area in areas]
        self.kinds = np.array([kind_of(area) for area in areas])
        self.area_km2 = np.array([shape.area / 1e6 for shape in self.shapes])
        known = np.array([-1.0 if area.population is None else float(area.population) for area in areas])
        guessed = self.area_km2 * np.array([KINDS[k].people_km2 for k in self.kinds])
        self.people = np.where(known >= 0, known, guessed * rng.lognormal(0, 0.15, len(areas)))
        self.zones = self._held(zones)
        self.villages = [self._inside(index, rng, 3 + int(size / 3)) for index, size in enumerate(self.area_km2)]

    def _held(self, zones: Sequence[Area]) -> list[Zone]:
        """Return the zones whose middle lies in one of the communes."""
        held = []
        for area in zones:
            shape = shape_of(area)
            middle = shape.representative_point()
            commune = next((index for index, own in enumerate(self.shapes) if own.intersects(middle)), None)
            if commune is not None:
                held.append(Zone(shape, commune))
        return held

    def in_zones(self, points: Reals) -> npt.NDArray[np.bool_]:
        """Return whether each point lies in a zone."""
        inside = np.zeros(len(points), dtype=bool)
        for zone in self.zones:
            inside |= shapely.intersects_xy(zone.shape, points[:, 0], points[:, 1])
        return inside

    def zone_places(self, count: int, rng: np.random.Generator) -> tuple[Reals, Integers]:
        """Draw points uniformly over all zones, and the communes of those zones.

        Raises
        ------
        ValueError
            Where there is no zone.
        """
        if not self.zones:
            raise ValueError("Invalid settlement. It has no zone.")
        areas = np.array([zone.shape.area for zone in self.zones])
        number = rng.choice(len(areas), count, p=areas / areas.sum())
        points = np.empty((count, 2))
        for index, zone in enumerate(self.zones):
            rows = np.flatnonzero(number == index)
            points[rows] = uniform(zone.shape, len(rows), rng)
        return points, np.array([zone.commune for zone in self.zones])[number]

    def of_kind(self, name: str) -> Reals:
        """Return a property of `Kind` for each commune."""
        return np.array([getattr(KINDS[kind], name) for kind in self.kinds], dtype=float)

    def new_radio_share(self) -> Reals:
        """Return the share of 4G sites that also carry 5G, for each commune."""
        port = np.array([key in PORT_COMMUNES for key in self.keys])
        return np.where(port, PORT_NEW_RADIO_SHARE, self.of_kind("new_radio_share"))

    def _inside(self, commune: int, rng: np.random.Generator, count: int) -> Reals:
        return uniform(self.shapes[commune], count, rng)

    def places(self, commune: Integers, rng: np.random.Generator) -> Reals:
        """Draw where people are in the numbered communes: about villages, else anywhere. Shape (n, 2), in metres."""
        points = np.empty((len(commune), 2))
        order = np.argsort(commune, kind="stable")
        for index, rows in zip(*_groups(commune[order], order), strict=True):
            kind = KINDS[self.kinds[index]]
            points[rows] = self._inside(int(index), rng, len(rows))
            about = rows[rng.random(len(rows)) < kind.village_share]
            villages = self.villages[index]
            near = villages[rng.integers(len(villages), size=len(about))] + rng.normal(
                0, kind.village_m / 2, (len(about), 2)
            )
            within = shapely.contains_xy(self.shapes[index], near[:, 0], near[:, 1])
            points[about[within]] = near[within]
        return points


def uniform(shape: Any, count: int, rng: np.random.Generator) -> Reals:
    """Draw points uniformly within a shape, shape (count, 2)."""
    shapely.prepare(shape)
    west, south, east, north = shape.bounds
    found: list[Reals] = [np.empty((0, 2))]
    missing = count
    while missing > 0:
        tries = int(missing * (east - west) * (north - south) / shape.area * 1.2) + 8
        points = np.column_stack([rng.uniform(west, east, tries), rng.uniform(south, north, tries)])
        inside = points[shapely.contains_xy(shape, points[:, 0], points[:, 1])][:missing]
        found.append(inside)
        missing -= len(inside)
    return np.concatenate(found)


def _groups(ordered: Integers, order: Integers) -> tuple[Integers, list[Integers]]:
    if not len(order):
        return ordered, []
    values, starts = np.unique(ordered, return_index=True)
    return values, np.split(order, starts[1:])


def _choose(layer: Layer, chosen: int | Sequence[str] | None, rng: np.random.Generator) -> list[Area]:
    if chosen is None:
        return layer.areas
    if not isinstance(chosen, int):
        wanted = set(chosen)
        areas = [area for area in layer.areas if area.key in wanted]
        if unknown := wanted - {area.key for area in areas}:
            raise ConfigError(f"Invalid communes {sorted(unknown)}. None of the layer {layer.key}.")
        return areas
    if not 1 <= chosen <= len(layer.areas):
        raise ConfigError(f"Invalid communes {chosen}. 1 to {len(layer.areas)}, those of {layer.key}.")
    middles = np.array([np.mean(area.polygons[0][0], axis=0) for area in layer.areas])
    gap = np.hypot(*(middles - middles[rng.integers(len(middles))]).T)
    return [layer.areas[index] for index in sorted(np.argsort(gap)[:chosen])]
