"""Choose stops one after the other by what they shrink for a minute of field time; what is done is worth less."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.coverage.plane import Plane
from analysis.plan.needs import AREA, CELL, STATION, Need, half_width
from analysis.plan.places import Places
from analysis.plan.route import minutes_between, nearest_neighbour, two_opt
from measurement.geography import BaseStation

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STATION_REACH_M = 700.0
"""A test this near a station is likely served by it."""
CELL_REACH_M = 250.0
_LEAD = 0.05


class Terms(NamedTuple):
    """Costs of field time: metres a minute are from `speed_kmh`; minutes at a stop, and for each test."""

    speed_kmh: float = 25.0
    setup_minutes: float = 2.0
    test_minutes: float = 1.0


class Stop(NamedTuple):
    """One chosen place: number among the places, value, minutes of way and work, and the needs it serves."""

    place: int
    value: float
    minutes: float
    needs: list[int]


class Serving(NamedTuple):
    """Which place serves which need: pairs as columns."""

    place: Ints
    need: Ints


def serving(places: Places, needs: Sequence[Need], area_of: dict[str, int], registry: Sequence[BaseStation],
            plane: Plane) -> Serving:  # fmt: skip
    """Pair places with the needs that a test there serves."""
    points = plane.project(places.longitude_deg, places.latitude_deg)
    where = {station.id: station for station in registry}
    by_cell: dict[str, list[int]] = {}
    pairs: list[tuple[int, int]] = []
    in_area: dict[int, Ints] = {int(area): np.flatnonzero(places.area == area) for area in np.unique(places.area)}
    for place, cell in enumerate(places.cell):
        by_cell.setdefault(cell, []).append(place)
    for number, need in enumerate(needs):
        if need.kind == AREA:
            pairs += [(int(place), number) for place in in_area.get(area_of.get(need.target, -1), [])]
        elif need.kind == CELL:
            pairs += [(place, number) for place in by_cell.get(need.target, [])]
        elif need.kind == STATION and need.target in where:
            station = where[need.target]
            gap = points - plane.project([station.longitude_deg], [station.latitude_deg])
            near = np.flatnonzero(np.hypot(gap[:, 0], gap[:, 1]) < STATION_REACH_M)
            pairs += [(int(place), number) for place in near]
    columns = np.array(pairs, np.int64).reshape(-1, 2)
    return Serving(columns[:, 0], columns[:, 1])


def _worth(serves: Serving, columns: dict[str, Floats], more: Floats, target: float, count: int) -> Floats:
    """Return what one more test in each place is worth now."""
    need = serves.need
    now = half_width(columns["done"], columns["needed"], columns["width"], more, target)
    then = half_width(columns["done"], columns["needed"], columns["width"], more + 1, target)
    gain = columns["weight"] * np.maximum(now - then, 0)
    return np.asarray(np.bincount(serves.place, gain[need], minlength=count))


def _insertion(way: Ints, start: int, travel: Floats) -> tuple[Floats, Ints]:
    """Return the least extra minutes of way to put each place into the way, and after which of its points."""
    order = np.concatenate(([start], way)).astype(np.int64)
    onward = travel[:, order]
    extra = onward.copy()
    if len(order) > 1:
        legs = travel[order[:-1], order[1:]]
        extra[:, :-1] = onward[:, :-1] + onward[:, 1:] - legs
    at = extra.argmin(1)
    return extra[np.arange(len(extra)), at], at


def choose(
    places: Places, needs: Sequence[Need], serves: Serving, plane: Plane, *, stops: int,
    minutes: float | None = None, start: tuple[float, float] | None = None, terms: Terms | None = None,
    target: float = 0.15,
) -> list[Stop]:  # fmt: skip
    """Choose stops greedily.

    Parameters
    ----------
    places, needs, serves
        Candidates, what tests would sharpen, and which serves which.
    plane
        Plane of the places.
    stops
        Most stops.
    minutes
        Most field time; none where None.
    start
        Longitude and latitude in degrees from which the agent goes; without it every stop costs the same way and the
        stops are ranked only.
    terms
        Costs of field time.
    target
        Half-width at which a figure is published.

    Returns
    -------
    The stops in the order of the route (by rank without `start`).
    """
    terms = terms or Terms()
    columns = {
        "done": np.array([n.done for n in needs], float), "needed": np.array([n.needed for n in needs], float),
        "width": np.array([n.half_width for n in needs], float), "weight": np.array([n.weight for n in needs], float),
    }  # fmt: skip
    more = np.zeros(len(needs))
    count = len(places.cell)
    points = plane.project(places.longitude_deg, places.latitude_deg)
    tests = np.zeros(count)
    np.add.at(tests, np.unique(np.stack((serves.place, serves.need)), axis=1)[0], 1)
    work = terms.setup_minutes + terms.test_minutes * np.clip(tests, 1, 8)
    travel = None
    if start is not None:
        travel = minutes_between(np.concatenate((points, plane.project([start[0]], [start[1]]))), terms.speed_kmh)
    free = np.ones(count, bool)
    way: list[int] = []
    chosen: dict[int, Stop] = {}
    spent = 0.0
    mine: dict[int, list[int]] = {}
    for place, need in zip(serves.place.tolist(), serves.need.tolist(), strict=True):
        mine.setdefault(place, []).append(need)
    while len(chosen) < stops and free.any():
        worth = _worth(serves, columns, more, target, count)
        if travel is None:
            cost, at = work + 5.0, np.zeros(count, np.int64)
        else:
            extra, at = _insertion(np.array(way, np.int64), count, travel)
            cost = work + extra[:count]
        usable = free & (worth > 0)
        if minutes is not None:
            usable &= spent + cost <= minutes
        if not usable.any():
            break
        place = int(np.argmax(np.where(usable, worth / cost, -1)))
        chosen[place] = Stop(place, float(worth[place]), float(cost[place]), mine.get(place, []))
        spent += float(cost[place])
        free[place] = False
        more[mine.get(place, [])] += 1
        way.insert(int(at[place]), place) if travel is not None else way.append(place)
    if travel is None or len(way) < 2:
        return [chosen[place] for place in way]
    return [chosen[place] for place in _ordered(way, travel, count)]


def _ordered(way: list[int], travel: Floats, start: int) -> list[int]:
    """Return the shortest of the way as it grew and of the nearest-neighbour way, both turned by 2-opt."""
    own = np.array([start, *way])
    minutes = travel[np.ix_(own, own)]
    ways = [two_opt(order, minutes) for order in (list(range(len(own))), nearest_neighbour(minutes))]
    best = min(ways, key=lambda order: sum(minutes[a, b] for a, b in itertools.pairwise(order)))
    return [int(own[place]) for place in best[1:]]
