"""Plan for an archive: from its result tables to stops, a route and the `plan` table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis import results
from analysis.coverage.plane import plane_of
from analysis.plan import needs as wants
from analysis.plan.choose import Stop, Terms, choose, serving
from analysis.plan.needs import Need
from analysis.plan.places import Places, candidates
from analysis.plan.reasons import kind, reason
from analysis.results import ALL
from analysis.thresholds import Thresholds
from archive.store import Archive
from measurement.errors import ConfigError
from measurement.geography import Layer


class Question(NamedTuple):
    """What is asked: how many stops, how much time, from where, for which operators, with which costs."""

    stops: int = 20
    minutes: float | None = None
    start: tuple[float, float] | None = None
    operators: tuple[str, ...] = ()
    layer: str | None = None
    terms: Terms = Terms()


def layer_of(layers: Sequence[Layer], key: str | None, today: date) -> Layer:
    """Return the layer asked for, by default the one valid today with the most areas.

    Raises
    ------
    ConfigError
        Where the archive has no such layer, or none at all.
    """
    if key is not None:
        found = [layer for layer in layers if layer.key == key]
        if not found:
            raise ConfigError(f"--layer: Invalid layer {key!r}. One of {', '.join(x.key for x in layers) or 'none'}.")
        return found[0]
    valid = [x for x in layers if (x.valid_until is None or today <= x.valid_until)] or list(layers)
    if not valid:
        raise ConfigError("Invalid archive. It has no layers of areas: nothing to plan for.")
    return max(valid, key=lambda layer: len(layer.areas))


def _operators(archive: Archive, asked: tuple[str, ...], ratings: pl.DataFrame | None) -> list[str]:
    known = {station.operator for station in archive.base_stations()}
    if ratings is not None:
        known |= set(ratings["operator"].unique().to_list()) - {ALL}
    strange = [name for name in asked if known and name not in known]
    if strange:
        raise ConfigError(f"--operator: Invalid operator {strange[0]!r}. One of {', '.join(sorted(known))}.")
    return sorted(asked) or sorted(known)


def _hour(stop: Stop, found: Sequence[Need], missing: dict[tuple[str, str], list[int]]) -> int | None:
    """Return the hour that most of the stop's areas and operators lack."""
    lacking = [hour for n in stop.needs for hour in missing.get((found[n].target, found[n].operator), [])]
    return None if not lacking else int(np.bincount(lacking).argmax())


def plan(archive: Archive, question: Question, limits: Thresholds, today: date) -> pl.DataFrame:
    """Make the `plan` table from what the analysis wrote so far.

    Raises
    ------
    ConfigError
        Where the archive has no layers, or there is nothing to plan with.
    """
    ratings, stations = archive.read_result("area_ratings"), archive.read_result("bts_ratings")
    layer = layer_of(archive.layers(), question.layer, today)
    operators = _operators(archive, question.operators, ratings)
    if not operators:
        raise ConfigError("Invalid archive. No operators are known: run `haidang-analysis rate` first.")
    wanted = set(operators)
    found = [
        need
        for need in (
            *wants.areas(ratings, layer, operators, limits),
            *wants.stations(stations, limits),
            *wants.cells(archive.read_result("coverage")),
        )
        if need.operator in wanted
    ]
    registry = archive.base_stations()
    places = candidates(layer, archive.read_result("hexagons"), registry)
    plane = plane_of(places.longitude_deg, places.latitude_deg)
    serves = serving(places, found, {area.key: i for i, area in enumerate(layer.areas)}, registry, plane)
    stops = choose(
        places, found, serves, plane, stops=question.stops, minutes=question.minutes, start=question.start,
        terms=question.terms, target=limits.minimum_of("area").interval,
    )  # fmt: skip
    missing = wants.hours(archive.read_result("series"), layer, operators)
    simulated = ratings is not None and bool(ratings["is_simulated"].any())
    return table(stops, found, places, layer, missing, question.start is not None, simulated)


def table(
    stops: Sequence[Stop], found: Sequence[Need], places: Places, layer: Layer,
    missing: dict[tuple[str, str], list[int]], is_route: bool, is_simulated: bool,
) -> pl.DataFrame:  # fmt: skip
    """Write stops as rows of the `plan` table, in the order of the route."""
    worth = np.array([stop.value / stop.minutes for stop in stops])
    rank = np.empty(len(stops), np.int64)
    rank[np.argsort(-worth, kind="stable")] = np.arange(1, len(stops) + 1)
    rows = []
    for order, stop in enumerate(stops):
        own = [found[n] for n in stop.needs]
        open_ = [n for n in own if n.needed > 0] or own
        hour = _hour(stop, found, missing)
        english, vietnamese = reason(own, hour)
        streams = {(n.operator, n.technology) for n in open_}
        area = layer.areas[int(places.area[stop.place])]
        rows.append(
            {
                "rank": int(rank[order]),
                "stop": order + 1 if is_route else None,
                "kind": kind(own, hour),
                "target": places.cell[stop.place],
                "name": area.name,
                "operator": ",".join(sorted({operator for operator, _ in streams})),
                "technology": ",".join(sorted({technology for _, technology in streams})),
                "longitude_deg": round(float(places.longitude_deg[stop.place]), 6),
                "latitude_deg": round(float(places.latitude_deg[stop.place]), 6),
                "hour": hour,
                "tests": min(len(streams), 8),
                "value": stop.value,
                "minutes": stop.minutes,
                "reason_en": english,
                "reason_vi": vietnamese,
                "is_simulated": is_simulated,
            }
        )
    return pl.DataFrame(rows, schema=results.schema("plan"), orient="row") if rows else _nothing()


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema=results.schema("plan"))
