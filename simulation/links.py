"""The radio links of every spot: what its device receives from its operator in 4G and in 5G, computed once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulation.operators import OPERATORS, Carrier
from simulation.panel import INDOOR, Spots, walls
from simulation.propagation import wall_loss
from simulation.radio import Ether, noise_mw

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ANCHOR, NEW_RADIO = 0, 1
NR_USABLE_DBM = -112.0
"""A phone leaves 5G below this level."""
NOTHING_DBM = -200.0


class Links(NamedTuple):
    """Arrays (n, 2): the 4G and the 5G link of each spot. Station −1 and −200 dBm where there is none."""

    station: Integers
    sector: Integers
    rsrp_dbm: Reals
    interference_mw: Reals
    distance_m: Reals

    def rows(self, index: Integers) -> Links:
        """Return the links of some spots."""
        return Links._make(column[index] for column in self)


def per_operator(carrier_of: str, value: str) -> Reals:
    """Return a property of each operator's carrier, 0 where it has none."""
    carriers: list[Carrier | None] = [getattr(operator, carrier_of) for operator in OPERATORS]
    return np.array([0.0 if carrier is None else float(getattr(carrier, value)) for carrier in carriers])


NOISE_MW = np.stack(
    [np.array([noise_mw(o.lte.element_khz) for o in OPERATORS]), np.array([noise_mw(30.0) for _ in OPERATORS])], axis=1
)
"""Noise by operator and leg."""

HERTZ = np.stack(
    [
        1e6 * per_operator(leg, "aggregate_mhz") * per_operator(leg, "downlink_share") * per_operator(leg, "layers")
        for leg in ("lte", "nr")
    ],
    axis=1,
)
"""Downlink bandwidth times time share times layers, by operator and leg."""

UPLINK_HERTZ = np.stack([1e6 * per_operator(leg, "bandwidth_mhz") for leg in ("lte", "nr")], axis=1)


def link(spots: Spots, ethers: dict[tuple[int, int], Ether], rng: np.random.Generator) -> Links:
    """Compute the links of spots in the ethers of (operator, leg).

    The wall of a spot is drawn once, so 4G and 5G pass through the same one.
    """
    count = len(spots.points)
    base = walls(spots.environment, 2.0, rng)
    links = Links(
        station=np.full((count, 2), -1),
        sector=np.zeros((count, 2), dtype=np.int64),
        rsrp_dbm=np.full((count, 2), NOTHING_DBM),
        interference_mw=np.zeros((count, 2)),
        distance_m=np.full((count, 2), np.nan),
    )
    for (operator, leg), ether in ethers.items():
        rows = np.flatnonzero(spots.operator == operator)
        if not len(ether.net.points) or not len(rows):
            continue
        harder = wall_loss(ether.net.carrier.frequency_ghz) - wall_loss(2.0)
        extra = np.where(spots.environment[rows] == INDOOR, np.maximum(base[rows] + harder, 0), base[rows])
        heard = ether.receive(spots.points[rows], extra)
        links.station[rows, leg] = ether.net.first + heard.station
        links.sector[rows, leg] = heard.sector
        links.rsrp_dbm[rows, leg] = heard.rsrp_dbm
        links.interference_mw[rows, leg] = heard.interference_mw
        links.distance_m[rows, leg] = heard.distance_m
    return links
