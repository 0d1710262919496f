"""Which base station served a record: by identity, else the nearest of the operator, with the doubt told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import shapely

from measurement.geography import BaseStation
from measurement.radio import GNB_ID_BITS, enb_of, gnb_of
from measurement.vocabulary import Leg, MatchedBy, Technology

EARTH_M = 6_371_008.8
REACH_M = 5_000.0
"""Beyond this the nearest station says nothing: sites of a city stand 0.3–2 km apart, rural ones up to some 5 km."""
RIVAL_RATIO = 1.5
"""A second station at less than this multiple of the distance makes the match doubtful."""

_FAMILY = {
    Technology.NR_SA: "nr",
    Technology.NR_NSA: "lte",  # a phone on NSA reports its LTE anchor (3GPP TS 37.340)
    Technology.LTE: "lte",
    Technology.UMTS: "umts",
    Technology.GSM: "gsm",
}


class Match(NamedTuple):
    """A station, how far away, how found; `is_doubtful` where a rival stands nearly as near."""

    id: str
    distance_m: float | None
    matched_by: MatchedBy
    is_doubtful: bool = False


def distance_m(longitude_a: float, latitude_a: float, longitude_b: float, latitude_b: float) -> float:
    """Return the great-circle distance in metres.

    Examples
    --------
    >>> round(distance_m(106.0, 20.0, 106.0, 21.0))
    111195
    """
    phi_a, phi_b = math.radians(latitude_a), math.radians(latitude_b)
    half = math.sin((phi_b - phi_a) / 2) ** 2
    half += math.cos(phi_a) * math.cos(phi_b) * math.sin(math.radians(longitude_b - longitude_a) / 2) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(min(half, 1.0)))


def family_of(technology: str | None) -> str | None:
    """Return which registry family serves a technology, None where it is not cellular."""
    try:
        return None if technology is None else _FAMILY.get(Technology(technology))
    except ValueError:
        return None


class _Near:
    """The stations of one operator and family on a plane of metres around their middle."""

    def __init__(self, stations: list[BaseStation]) -> None:
        self.stations = stations
        self.scale = math.cos(math.radians(sum(s.latitude_deg for s in stations) / len(stations)))
        x = np.array([s.longitude_deg * self.scale for s in stations])
        y = np.array([s.latitude_deg for s in stations])
        self.tree = shapely.STRtree(shapely.points(x, y))

    def match(self, longitude: float, latitude: float) -> Match | None:
        point = shapely.Point(longitude * self.scale, latitude)
        reach_deg = math.degrees(REACH_M / EARTH_M)
        within = self.tree.query(point, predicate="dwithin", distance=reach_deg)
        ranked = sorted(
            (distance_m(longitude, latitude, s.longitude_deg, s.latitude_deg), s.id)
            for s in (self.stations[int(index)] for index in within)
        )
        if not ranked:
            return None
        first = ranked[0]
        is_doubtful = len(ranked) > 1 and ranked[1][0] < RIVAL_RATIO * max(first[0], 1.0)
        return Match(first[1], round(first[0], 1), MatchedBy.DISTANCE, is_doubtful)


class StationIndex:
    """The registry, ready to be asked."""

    def __init__(self, stations: Iterable[BaseStation], gnb_id_bits: Mapping[str, int] | None = None) -> None:
        """Index stations; `gnb_id_bits` gives the length of the gNB id for a PLMN such as "452-04"."""
        self._bits = dict(gnb_id_bits or {})
        self._by_cell: dict[tuple[str, int], BaseStation] = {}
        self._by_number: dict[tuple[str, str, int], BaseStation] = {}
        groups: dict[tuple[str, str], list[BaseStation]] = {}
        for station in stations:
            operator, family = station.operator.casefold(), family_of(station.technology) or station.technology
            if station.technology == Technology.NR_NSA:
                family = "nr"
            for cell in station.cell_ids:
                self._by_cell.setdefault((operator, cell), station)
            if station.base_station_id is not None:
                self._by_number.setdefault((operator, family, station.base_station_id), station)
            groups.setdefault((operator, family), []).append(station)
        self._near = {key: _Near(group) for key, group in groups.items()}

    def __bool__(self) -> bool:
        return bool(self._near)

    def match(
        self,
        *,
        operator: str | None,
        plmn: str | None,
        technology: str | None,
        cell_id: int | None,
        base_station_id: int | None,
        leg: Leg = Leg.ANCHOR,
        longitude: float | None = None,
        latitude: float | None = None,
    ) -> Match | None:
        """Return the station of one record, None where nothing fits."""
        family = family_of(technology)
        if operator is None or family is None or not self._near:
            return None
        operator = operator.casefold()
        station = self._identified(operator, family, plmn, cell_id, base_station_id, leg)
        if station is not None:
            far = None
            if longitude is not None and latitude is not None:
                far = round(distance_m(longitude, latitude, station.longitude_deg, station.latitude_deg), 1)
            return Match(station.id, far, MatchedBy.IDENTITY)
        if longitude is None or latitude is None or (operator, family) not in self._near:
            return None
        return self._near[operator, family].match(longitude, latitude)

    def _identified(
        self, operator: str, family: str, plmn: str | None, cell_id: int | None, number: int | None, leg: Leg
    ) -> BaseStation | None:
        if cell_id is not None:
            station = self._by_cell.get((operator, cell_id))
            if station is not None:
                return station
        wanted = "nr" if leg is Leg.NR else family
        if number is None and cell_id is not None and wanted in ("nr", "lte"):
            number = gnb_of(cell_id, self._bits.get(plmn or "", GNB_ID_BITS)) if wanted == "nr" else enb_of(cell_id)
        return None if number is None else self._by_number.get((operator, wanted, number))


def match_rows(index: StationIndex, rows: Iterable[Mapping[str, Any]]) -> list[Match | None]:
    """Match many records given as keyword arguments of `StationIndex.match`."""
    return [index.match(**row) for row in rows]
