"""The base stations of the city: sites spread evenly within each commune, three sectors each, with their identities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

from measurement.geography import BaseStation
from measurement.radio import GNB_ID_BITS
from simulation.operators import OPERATORS, Carrier, Operator
from simulation.plane import to_sphere
from simulation.settlement import Settlement, uniform

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SECTORS = 3
ZONE_NEW_RADIO_SHARE = 0.9
"""Share of masts in ports and industrial parks that carry 5G."""
# Plastic-number sequence (Roberts 2018): fills the plane evenly from any start, so sites keep their distance.
_PLASTIC = np.array([0.7548776662466927, 0.5698402909980532])


class Net(NamedTuple):
    """The stations of one operator in one technology, as columns; `first` is the number of its first station.

    `points` (n, 2) metres, `azimuth_deg` (n,) of the first sector, the others 120° and 240° on.
    """

    operator: int
    carrier: Carrier
    first: int
    points: Reals
    height_m: Reals
    azimuth_deg: Reals
    is_urban: npt.NDArray[np.bool_]
    commune: Integers
    node_id: Integers
    load: Reals

    def cell_id(self, station: Integers, sector: Integers) -> Integers:
        """Return ECI or NCI of sectors."""
        shift = 8 if self.carrier.technology == "lte" else 36 - GNB_ID_BITS
        return (self.node_id[station].astype(np.int64) << shift) | (sector + 1)

    def pci(self, station: Integers, sector: Integers) -> Integers:
        """Return the physical cell identity of sectors; sector numbers are its remainder by three."""
        groups = 168 if self.carrier.technology == "lte" else 336
        return 3 * (self.node_id[station] * 7 % groups) + sector

    def tac(self, station: Integers) -> Integers:
        """Return the tracking area code of stations: one a commune and operator."""
        return 20_000 + 1000 * self.operator + self.commune[station]


def _spread(settlement: Settlement, counts: Integers, rng: np.random.Generator) -> tuple[Reals, Integers]:
    points, communes = [], []
    for index, count in enumerate(counts):
        shape = settlement.shapes[index]
        west, south, east, north = shape.bounds
        tries = int(count * (east - west) * (north - south) / shape.area * 2) + 16
        unit = (rng.random(2) + np.arange(tries)[:, None] * _PLASTIC) % 1
        side = max(east - west, north - south)
        spread = np.array([west, south]) + unit * np.array([east - west, north - south])
        spread += rng.normal(0, 0.08 * side / max(1, count) ** 0.5, spread.shape)
        inside = spread[shapely.contains_xy(shape, spread[:, 0], spread[:, 1])][:count]
        points.append(inside)
        communes.append(np.full(len(inside), index))
    return np.concatenate(points), np.concatenate(communes)


def _site_counts(settlement: Settlement, total: float) -> Integers:
    weight = settlement.of_kind("sites_km2") * settlement.area_km2
    counts: Integers = np.maximum(1, np.round(weight / weight.sum() * total)).astype(np.int64)
    return counts


def _with_zones(
    settlement: Settlement, points: Reals, commune: Integers, rng: np.random.Generator
) -> tuple[Reals, Integers]:
    """Add a site in each zone in which chance put none."""
    for zone in settlement.zones:
        if not shapely.intersects_xy(zone.shape, points[:, 0], points[:, 1]).any():
            points = np.concatenate([points, uniform(zone.shape, 1, rng)])
            commune = np.append(commune, zone.commune)
    return points, commune


def build(settlement: Settlement, station_count: int, rng: np.random.Generator) -> list[Net]:
    """Place about `station_count` stations, 4G and 5G counted apart, over the operators."""
    weight = settlement.of_kind("sites_km2") * settlement.area_km2
    new_radio = float((weight * settlement.new_radio_share()).sum() / weight.sum())
    upgraded = sum(operator.site_share for operator in OPERATORS if operator.nr)
    sites = station_count / (1 + new_radio * upgraded)
    nets: list[Net] = []
    first = 0
    for number, operator in enumerate(OPERATORS):
        points, commune = _spread(settlement, _site_counts(settlement, sites * operator.site_share), rng)
        points, commune = _with_zones(settlement, points, commune, rng)
        count = len(points)
        kind = settlement.of_kind
        lte = Net(
            operator=number,
            carrier=operator.lte,
            first=first,
            points=points,
            height_m=np.clip(kind("mast_m")[commune] + rng.normal(0, 4, count), 15, 60).round(1),
            azimuth_deg=(rng.integers(0, 12, count) * 10).astype(np.float64),
            is_urban=kind("is_urban")[commune] > 0,
            commune=commune,
            node_id=310_000 + 10_000 * number + np.arange(count),
            load=np.clip(kind("load")[commune] * rng.lognormal(0, 0.25, count), 0.05, 0.95),
        )
        nets.append(lte)
        first += count
        if operator.nr is not None:
            share = np.where(settlement.in_zones(points), ZONE_NEW_RADIO_SHARE, settlement.new_radio_share()[commune])
            chosen = np.flatnonzero(rng.random(count) < share)
            nets.append(_upgrade(lte, operator.nr, chosen, first, rng))
            first += len(chosen)
    return nets


def _upgrade(lte: Net, carrier: Carrier, chosen: Integers, first: int, rng: np.random.Generator) -> Net:
    """Return the 5G stations on the chosen masts of a 4G net."""
    return lte._replace(
        carrier=carrier,
        first=first,
        points=lte.points[chosen],
        height_m=lte.height_m[chosen],
        azimuth_deg=lte.azimuth_deg[chosen],
        is_urban=lte.is_urban[chosen],
        commune=lte.commune[chosen],
        node_id=lte.node_id[chosen] + 500_000,
        load=np.clip(lte.load[chosen] * rng.lognormal(-0.5, 0.25, len(chosen)), 0.03, 0.9),
    )


def station_id(operator: Operator, technology: str, node_id: int) -> str:
    """Return the registry id of a station.

    Examples
    --------
    >>> station_id(OPERATORS[0], 'lte', 310004)
    '45204-eNB310004'
    """
    return f"{operator.mcc}{operator.mnc}-{'eNB' if technology == 'lte' else 'gNB'}{node_id}"


def registry(nets: list[Net], settlement: Settlement) -> list[BaseStation]:
    """Return the stations as the collector's registry keeps them, in the order of their numbers."""
    return [_station(net, row, settlement.names[net.commune[row]]) for net in nets for row in range(len(net.points))]


def _station(net: Net, row: int, place: str) -> BaseStation:
    operator, sectors = OPERATORS[net.operator], np.arange(SECTORS)
    longitude, latitude = to_sphere(net.points[row]).round(6).tolist()
    return BaseStation(
        id=station_id(operator, net.carrier.technology, int(net.node_id[row])),
        operator=operator.name,
        technology=net.carrier.technology,
        longitude_deg=longitude,
        latitude_deg=latitude,
        base_station_id=int(net.node_id[row]),
        name=f"{place} {net.node_id[row] % 10_000}",
        height_m=float(net.height_m[row]),
        azimuths_deg=((net.azimuth_deg[row] + 120 * sectors) % 360).tolist(),
        cell_ids=net.cell_id(np.full(SECTORS, row), sectors).tolist(),
        pcis=net.pci(np.full(SECTORS, row), sectors).tolist(),
        is_simulated=True,
    )
