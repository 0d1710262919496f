"""A simulated city: stations, people, and the records they make. The same seed gives the same city and days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from measurement.gazetteer import layers as gazetteer_layers
from measurement.geography import BaseStation, Layer
from simulation import panel as panels
from simulation import stations as masts
from simulation.degradation import Degradation, factors
from simulation.fixes import Fixes, fix
from simulation.frames import Book, frame
from simulation.links import ANCHOR, NEW_RADIO, Links, link
from simulation.measure import LIMITED_SHARES, PERFECT, Cells, measure
from simulation.operators import OPERATORS
from simulation.panel import PHONE, PROBE, Mix, Panel
from simulation.plane import to_sphere
from simulation.radio import Ether, Hole
from simulation.schedule import Habits, Tests, join, unix_seconds
from simulation.settlement import Settlement

Integers = npt.NDArray[np.int64]

CHUNK_RECORDS = 250_000
MONDAY = date(2026, 5, 4)
"""Start of the week over which the truth is drawn by default: each weekday alike."""


def citizens(count: int) -> pl.Series:
    """Return names for citizens drawn for the truth."""
    return pl.select(pl.format("citizen-{}", pl.int_range(count))).to_series()


class Scale(NamedTuple):
    """How large a city is."""

    stations: int = 2400
    phones: int = 30_000
    probes: int = 253


class City:
    """A city whose true quality is known.

    Parameters
    ----------
    seed
        Makes the city; records of a day depend on it, the day and their number alone.
    communes
        Which communes: None for all, a number for that many neighbouring ones, or their codes.
    scale
        Stations, phones and probes; by default the whole city's, in proportion to its people.
    mix
        Share of the records by kind of device.
    skew
        Deviation of ln(activity) of phones: 0 all alike, 1.5 a few heavy users with most of the tests.
    urban_bias, quality_bias
        Sampling that does not represent: dense communes favoured by density to this power; phones that measure more
        (above 0) or less where their signal is better, by exp(bias · z).
    layers
        The areas; the gazetteer's by default. Communes and zones are those of `commune_layer` and `zone_layer`.

    Examples
    --------
    >>> city = City(1, communes=2, scale=Scale(40, 30, 4))
    >>> sum(frame.height for frame in city.records(500, days=2))
    500
    """

    def __init__(
        self,
        seed: int,
        *,
        communes: int | Sequence[str] | None = None,
        scale: Scale | None = None,
        mix: Mix | None = None,
        skew: float = 1.0,
        urban_bias: float = 0.0,
        quality_bias: float = 0.0,
        holes: int | Sequence[Hole] = 0,
        degradations: Sequence[Degradation] = (),
        layers: Sequence[Layer] | None = None,
        commune_layer: str = "communes-2025",
        zone_layer: str = "zones",
    ) -> None:
        self.seed = seed
        self.layers = list(gazetteer_layers() if layers is None else layers)
        self.degradations = tuple(degradations)
        rng = np.random.default_rng([seed, 0])
        base = next(layer for layer in self.layers if layer.key == commune_layer)
        zones = next((layer.areas for layer in self.layers if layer.key == zone_layer), [])
        self.settlement = Settlement(base, communes, rng, zones)
        self.scale = scale or self.scaled(len(self.settlement.keys) / len(base.areas))
        self.nets = masts.build(self.settlement, self.scale.stations, rng)
        self.holes = tuple(holes) if not isinstance(holes, int) else self._dig(holes, np.random.default_rng([seed, 4]))
        self.ethers = {
            (net.operator, ANCHOR if net.carrier.technology == "lte" else NEW_RADIO): Ether(net, rng, self.holes)
            for net in self.nets
        }
        self.cells = Cells(
            np.concatenate([net.load for net in self.nets] + [np.zeros(1)]),
            np.concatenate([self.settlement.kinds[net.commune] for net in self.nets] + [np.zeros(1, dtype=np.int64)]),
        )
        self.stations: list[BaseStation] = masts.registry(self.nets, self.settlement)
        self.panel = panels.build(self.settlement, self.scale.phones, self.scale.probes, skew, urban_bias, rng)
        self.links, self.fixes = self.sense(self.panel, rng)
        if quality_bias:
            self.panel = self._biased(self.panel, quality_bias)
        self.habits = Habits(self.panel.devices, mix or Mix())
        self.book = self._book()

    @staticmethod
    def scaled(part: float) -> Scale:
        """Return the scale of a part of the whole city.

        Examples
        --------
        >>> City.scaled(0.1)
        Scale(stations=240, phones=3000, probes=25)
        """
        whole = Scale()
        return Scale(
            max(24, round(whole.stations * part)),
            max(20, round(whole.phones * part)),
            max(2, round(whole.probes * part)),
        )

    def _dig(self, count: int, rng: np.random.Generator) -> tuple[Hole, ...]:
        """Draw coverage holes where people are, 400 to 900 m wide, each in one operator's signal.

        Their own generator leaves the rest of the city as it is without them.
        """
        commune = panels.homes(self.settlement, count, rng)
        points = self.settlement.places(commune, rng)
        return tuple(
            Hole(int(rng.integers(len(OPERATORS))), float(x), float(y), float(rng.uniform(400, 900)), 35.0)
            for x, y in points
        )

    def sense(self, panel: Panel, rng: np.random.Generator) -> tuple[Links, Fixes]:
        """Compute the links and reported positions of a panel's spots."""
        is_exact = np.zeros(len(panel.spots.points), dtype=bool)
        is_exact[panel.devices.first_spot[panel.devices.kind == PROBE]] = True
        return link(panel.spots, self.ethers, rng), fix(panel.spots, is_exact, self.layers, rng)

    def _biased(self, panel: Panel, bias: float) -> Panel:
        devices = panel.devices
        phones = np.flatnonzero(devices.kind == PHONE)
        level = self.links.rsrp_dbm[devices.first_spot[phones], ANCHOR]
        activity = devices.activity.copy()
        activity[phones] *= np.exp(bias * (level - level.mean()) / max(level.std(), 1e-9))
        return panel._replace(devices=devices._replace(activity=activity))

    def _book(self) -> Book:
        kinds = np.array(["probe", "phone", "drive", "crew"])[self.panel.devices.kind]
        return Book(
            nets=self.nets,
            station_ids=pl.Series([station.id for station in self.stations], dtype=pl.String),
            device_ids=pl.Series([f"sim-{self.seed}-{kind}-{number:06d}" for number, kind in enumerate(kinds)]),
            organisations=pl.Series(self.panel.organisations),
            layers=[layer.key for layer in self.layers],
            area_keys=[pl.Series([area.key for area in layer.areas], dtype=pl.String) for layer in self.layers],
        )

    def run(
        self,
        panel: Panel,
        links: Links,
        fixes: Fixes,
        tests: Tests,
        rng: np.random.Generator,
        *,
        is_panel: bool = True,
    ) -> pl.DataFrame:
        """Run tests of a panel and return their records.

        Citizens drawn for the truth are not `is_panel`: their instruments never fail.
        """
        book = self.book if is_panel else self.book._replace(device_ids=citizens(len(panel.devices.kind)))
        own = links.rows(tests.spot)
        operator = panel.devices.operator[tests.device]
        left = factors(self.degradations, self.layers, fixes.areas[tests.fix], operator, unix_seconds(tests))
        weekday = (tests.day - 1) % 7
        limited = LIMITED_SHARES if is_panel else PERFECT
        found = measure(own, panel.devices, tests.device, self.cells, tests.hour, weekday, left, rng, limited)
        return frame(book, panel.devices, panel.spots, fixes, tests, own, found, rng)

    def records(self, count: int, *, days: int = 60, start: date = date(2026, 5, 1)) -> Iterator[pl.DataFrame]:
        """Yield `count` records over days as frames of about 250,000 rows at most, in the order of days."""
        totals = np.random.default_rng([self.seed, 1]).multinomial(count, np.full(days, 1 / days))
        waiting: list[Tests] = []
        for number, total in enumerate(totals.tolist()):
            day = start + timedelta(days=number)
            for part, begin in enumerate(range(0, total, CHUNK_RECORDS)):
                rng = np.random.default_rng([self.seed, 2, day.toordinal(), part])
                waiting.append(self.habits.day(day, min(CHUNK_RECORDS, total - begin), rng))
                if sum(len(tests.day) for tests in waiting) >= CHUNK_RECORDS // 2 or number == days - 1:
                    yield self.run(self.panel, self.links, self.fixes, join(waiting), rng)
                    waiting = []

    def hole_list(self) -> list[dict[str, Any]]:
        """Return the coverage holes with their operator and place."""
        holes = []
        for hole in self.holes:
            longitude, latitude = to_sphere(np.array([hole.x_m, hole.y_m])).round(6).tolist()
            holes.append(
                {
                    "operator": OPERATORS[hole.operator].name,
                    "longitude_deg": longitude,
                    "latitude_deg": latitude,
                    "radius_m": round(hole.radius_m, 1),
                    "depth_db": hole.depth_db,
                }
            )
        return holes
