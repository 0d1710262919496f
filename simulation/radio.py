"""What a phone receives at a place: the serving sector, its level, and all the others as interference.

Each net keeps its own shadow fields, so a place evaluated twice gives the same answer. Half of the shadowing is common
to all masts at a place and half is the mast's own: correlation 0.5 between sites, as 3GPP TR 38.901 7.4.4 has it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulation.antenna import pattern
from simulation.propagation import RMA, UMA, Scatter, loss_rma, loss_uma, sight_probability_rma, sight_probability_uma
from simulation.shadowing import Fields
from simulation.stations import SECTORS, Net

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CANDIDATES = 8
"""Masts considered at a place: those nearest to the middle of its tile."""
TILE_M = 500.0
CHUNK = 40_000
NOISE_FIGURE_DB = 7.0
SECTOR_STEP_DEG = 120.0


class Hole(NamedTuple):
    """A disc in which an operator's signal is weaker by `depth_db` at the middle, fading out over the outer third."""

    operator: int
    x_m: float
    y_m: float
    radius_m: float
    depth_db: float


class Reception(NamedTuple):
    """One value a place. Powers in mW a resource element, `interference_mw` with every other sector fully loaded."""

    station: Integers
    sector: Integers
    rsrp_dbm: Reals
    interference_mw: Reals
    distance_m: Reals


def noise_mw(element_khz: float) -> float:
    """Return thermal noise and the phone's own over one resource element.

    Examples
    --------
    -174 dBm/Hz + 41.8 dB of 15 kHz + 7 dB:

    >>> round(float(10 * np.log10(noise_mw(15.0))), 1)
    -125.2
    """
    return float(10 ** ((-174 + 10 * np.log10(element_khz * 1e3) + NOISE_FIGURE_DB) / 10))


class Ether:
    """The radio field of one net."""

    def __init__(self, net: Net, rng: np.random.Generator, holes: tuple[Hole, ...] = ()) -> None:
        self.net = net
        self.holes = tuple(hole for hole in holes if hole.operator == net.operator)
        count = len(net.points)
        self.shadow = {scatter: Fields(rng, count + 1, scatter.nlos_m) for scatter in (UMA, RMA)}
        self.sight = Fields(rng, count, 50.0, waves=10)

    def receive(self, points: Reals, indoor_db: Reals) -> Reception:
        """Return what phones at points (n, 2) receive behind `indoor_db` of walls.

        Raises
        ------
        ValueError
            Where the net has no station.
        """
        if not len(self.net.points):
            raise ValueError("Invalid net. It has no station.")
        parts = [
            self._receive(points[start : start + CHUNK], indoor_db[start : start + CHUNK])
            for start in range(0, max(1, len(points)), CHUNK)
        ]
        return Reception(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _nearest(self, points: Reals) -> Integers:
        """Return the masts to consider at each point, shape (n, k)."""
        tiles, tile_of = np.unique(np.floor(points / TILE_M).astype(np.int64), axis=0, return_inverse=True)
        masts = self.net.points
        count = min(CANDIDATES, len(masts))
        near = np.empty((len(tiles), count), dtype=np.int64)
        for start in range(0, len(tiles), 2000):
            middles = (tiles[start : start + 2000] + 0.5) * TILE_M
            gap = ((middles[:, None, :] - masts[None, :, :]) ** 2).sum(axis=2)
            near[start : start + 2000] = np.argpartition(gap, count - 1, axis=1)[:, :count]
        return near[tile_of.reshape(-1)]

    def _shadowed_loss(self, points: Reals, mast: Integers, distance: Reals) -> Reals:
        net = self.net
        x, y = np.broadcast_to(points[:, :1], mast.shape), np.broadcast_to(points[:, 1:], mast.shape)
        chance = 1 / (1 + np.exp(-1.702 * self.sight.at(mast, x, y)))  # The normal distribution function, to 0.01.
        loss = np.empty(mast.shape)
        for scatter, urban in ((UMA, True), (RMA, False)):
            rows = net.is_urban[mast] == urban
            if not rows.any():
                continue
            d, height = distance[rows], net.height_m[mast[rows]]
            sight = chance[rows] < (sight_probability_uma(d) if urban else sight_probability_rma(d))
            path = (loss_uma if urban else loss_rma)(d, height, net.carrier.frequency_ghz, sight)
            loss[rows] = path + np.where(sight, scatter.los_db, scatter.nlos_db) * self._shade(
                scatter, mast, x, y, rows
            )
        return loss

    def _shade(self, scatter: Scatter, mast: Integers, x: Reals, y: Reals, rows: npt.NDArray[np.bool_]) -> Reals:
        fields = self.shadow[scatter]
        own = fields.at(mast[rows], x[rows], y[rows])
        common = fields.at(np.full(len(x), len(self.net.points)), x[:, 0], y[:, 0])
        both = own + np.broadcast_to(common[:, None], mast.shape)[rows]
        shade: Reals = both.astype(np.float64) * 0.5**0.5
        return shade

    def _hole_db(self, points: Reals) -> Reals:
        extra = np.zeros(len(points))
        for hole in self.holes:
            far = np.hypot(points[:, 0] - hole.x_m, points[:, 1] - hole.y_m) / hole.radius_m
            extra += hole.depth_db * np.clip(3 * (1 - far), 0, 1)
        return extra

    def _receive(self, points: Reals, indoor_db: Reals) -> Reception:
        net = self.net
        mast = self._nearest(points)
        offset = points[:, None, :] - net.points[mast]
        distance = np.hypot(offset[..., 0], offset[..., 1])
        loss = self._shadowed_loss(points, mast, distance)
        bearing = np.degrees(np.arctan2(offset[..., 0], offset[..., 1]))
        level = net.carrier.element_dbm - loss - (indoor_db + self._hole_db(points))[:, None]
        turned = bearing[..., None] - net.azimuth_deg[mast][..., None] - SECTOR_STEP_DEG * np.arange(SECTORS)
        sectors = (level[..., None] + pattern(turned)).reshape(len(points), -1)
        best = np.argmax(sectors, axis=1)
        rows = np.arange(len(points))
        power = 10 ** (sectors / 10)
        served = power[rows, best]
        chosen = best // SECTORS
        return Reception(
            station=mast[rows, chosen],
            sector=best % SECTORS,
            rsrp_dbm=sectors[rows, best],
            interference_mw=np.maximum(power.sum(axis=1) - served, 0),
            distance_m=distance[rows, chosen],
        )
