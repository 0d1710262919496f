"""Who measures: fixed probes in offices, citizens' phones, drive-test cars, certified crews; and the spots they use.

A **spot** is a place as one device experiences it: position, walls, environment, operator. Its radio is computed once.
A **fix** is a reported position of a spot, with the error of its receiver; areas and hexagons are found once for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from measurement.vocabulary import Environment
from simulation.operators import OPERATORS
from simulation.propagation import INSIDE_DB_PER_M, WALL_SCATTER_DB, wall_loss
from simulation.settlement import Settlement

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

KINDS = ("probe", "phone", "drive", "crew")
PROBE, PHONE, DRIVE, CREW = range(4)
ENVIRONMENTS = tuple(Environment)
INDOOR, STATIC, MOVING = range(3)
SPOTS_A_PHONE = 4  # Home, by the home, at work, somewhere else.
SPOTS_A_CREW = 60
ZONE_JOBS = 0.12
"""Share of citizens who work in a port or an industrial park."""
CARS = 8
ROAD_STEP_M = 50.0
FIX_ERROR_M = {INDOOR: 18.0, STATIC: 6.0, MOVING: 8.0}


class Devices(NamedTuple):
    """One value a device. Its spots are numbered from `first_spot`, `spot_count` of them.

    `gain` is what the device makes of the rate it is given; `activity` how often it measures, relative to others.
    """

    kind: Integers
    operator: Integers
    has_nr: Booleans
    uses_sa: Booleans
    gain: Reals
    activity: Reals
    organisation: Integers
    first_spot: Integers
    spot_count: Integers


class Spots(NamedTuple):
    """One value a spot; points (n, 2) in metres."""

    points: Reals
    commune: Integers
    operator: Integers
    environment: Integers
    is_indoor: Booleans


class Mix(NamedTuple):
    """Share of the records that come from each kind of device."""

    probe: float = 0.22
    phone: float = 0.55
    drive: float = 0.18
    crew: float = 0.05


def walls(environment: Integers, frequency_ghz: float, rng: np.random.Generator) -> Reals:
    """Return the loss in dB between the street and each spot: walls and depth indoors, the car's body when moving."""
    count = len(environment)
    wall = (
        wall_loss(frequency_ghz) + rng.normal(0, WALL_SCATTER_DB, count) + INSIDE_DB_PER_M * rng.uniform(0, 12, count)
    )
    return np.select([environment == INDOOR, environment == MOVING], [np.maximum(wall, 0), 4.0], 0.0)


def _operators(count: int, rng: np.random.Generator) -> Integers:
    shares = np.array([operator.user_share for operator in OPERATORS])
    return rng.choice(len(OPERATORS), count, p=shares / shares.sum())


def homes(settlement: Settlement, count: int, rng: np.random.Generator, urban_bias: float = 0.0) -> Integers:
    """Draw communes by their people; `urban_bias` b favours dense ones by density to the power b."""
    weight = settlement.people * (settlement.people / settlement.area_km2) ** urban_bias
    return rng.choice(len(weight), count, p=weight / weight.sum())


class Panel(NamedTuple):
    """The devices, their spots, and the names of their organisations."""

    devices: Devices
    spots: Spots
    organisations: list[str]


def _phones(
    settlement: Settlement, home: Integers, operator: Integers, skew: float, rng: np.random.Generator
) -> tuple[Devices, Spots]:
    count = len(home)
    work = np.where(rng.random(count) < 0.5, home, homes(settlement, count, rng, 0.3))
    away = homes(settlement, count, rng, 0.2)
    at_home, at_work = settlement.places(home, rng), settlement.places(work, rng)
    if settlement.zones:
        in_zone = np.flatnonzero(rng.random(count) < ZONE_JOBS)
        at_work[in_zone], work[in_zone] = settlement.zone_places(len(in_zone), rng)
    communes = np.stack([home, home, work, away], axis=1).reshape(-1)
    points = np.stack(
        [
            at_home,
            at_home + rng.normal(0, 25, (count, 2)),
            at_work,
            settlement.places(away, rng),
        ],
        axis=1,
    ).reshape(-1, 2)
    outside = rng.choice([STATIC, MOVING], count, p=[0.6, 0.4])
    environment = np.stack(
        [np.full(count, INDOOR), np.full(count, STATIC), np.where(rng.random(count) < 0.8, INDOOR, STATIC), outside],
        axis=1,
    ).reshape(-1)
    has_nr = rng.random(count) < 0.45
    sa = np.array([o.sa_share for o in OPERATORS])[operator]
    devices = Devices(
        kind=np.full(count, PHONE),
        operator=operator,
        has_nr=has_nr,
        uses_sa=has_nr & (rng.random(count) < sa),
        gain=rng.lognormal(0, 0.2, count),
        activity=rng.lognormal(0, skew, count),
        organisation=np.where(rng.random(count) < 0.6, home, -1),
        first_spot=np.arange(count) * SPOTS_A_PHONE,
        spot_count=np.full(count, SPOTS_A_PHONE),
    )
    return devices, _spots(points, communes, np.repeat(operator, SPOTS_A_PHONE), environment)


def _spots(points: Reals, commune: Integers, operator: Integers, environment: Integers) -> Spots:
    return Spots(points, commune, operator, environment, environment == INDOOR)


def _fixed(settlement: Settlement, count: int, rng: np.random.Generator) -> tuple[Devices, Spots]:
    """Return probes at offices: one a commune's committee first, then departments, mostly in dense communes."""
    communes = len(settlement.keys)
    home = np.concatenate([np.arange(min(count, communes)), homes(settlement, max(0, count - communes), rng, 1.0)])
    operator = _operators(count, rng)
    has_nr = np.full(count, True)
    devices = Devices(
        kind=np.full(count, PROBE),
        operator=operator,
        has_nr=has_nr,
        uses_sa=rng.random(count) < np.array([o.sa_share for o in OPERATORS])[operator],
        gain=rng.lognormal(0, 0.05, count),
        activity=np.ones(count),
        organisation=np.where(np.arange(count) < communes, home, np.arange(count)),
        first_spot=np.arange(count),
        spot_count=np.ones(count, dtype=np.int64),
    )
    return devices, _spots(settlement.places(home, rng), home, operator, np.full(count, INDOOR))


def road(settlement: Settlement, rng: np.random.Generator) -> tuple[Reals, Integers]:
    """Return the points of a tour of all communes, every 50 m, and the commune each started from."""
    middles = np.array([np.asarray(shape.representative_point().coords[0]) for shape in settlement.shapes])
    left, tour = set(range(1, len(middles))), [0]
    while left:
        gap = {index: float(((middles[index] - middles[tour[-1]]) ** 2).sum()) for index in left}
        nearest = min(gap, key=lambda index: gap[index])
        left.remove(nearest)
        if gap[nearest] < 40_000.0**2:  # No car drives to Bạch Long Vĩ.
            tour.append(nearest)
    legs, communes = [], []
    for start, end in zip(tour, tour[1:] + tour[:1], strict=True):
        length = float(np.hypot(*(middles[end] - middles[start])))
        steps = np.linspace(0, 1, max(2, int(length / ROAD_STEP_M)), endpoint=False)[:, None]
        across = np.array([middles[end] - middles[start]])[:, ::-1] * [1, -1] / max(length, 1)
        bends = 120 * np.sin(2 * np.pi * (steps * length / 2300 + rng.random())) * np.sin(np.pi * steps)
        legs.append(middles[start] + steps * (middles[end] - middles[start]) + bends * across)
        communes.append(np.where(steps[:, 0] < 0.5, start, end))
    return np.concatenate(legs), np.concatenate(communes)


def _cars(settlement: Settlement, rng: np.random.Generator) -> tuple[Devices, Spots]:
    """Return one modem of each operator in each car; all cars drive the same tour and share its spots."""
    points, commune = road(settlement, rng)
    operators = np.arange(len(OPERATORS))
    modem = np.tile(operators, CARS)
    count = len(points)
    devices = Devices(
        kind=np.full(len(modem), DRIVE),
        operator=modem,
        has_nr=np.full(len(modem), True),
        uses_sa=np.array([o.sa_share >= 0.25 for o in OPERATORS])[modem],
        gain=np.ones(len(modem)),
        activity=np.ones(len(modem)),
        organisation=np.full(len(modem), -1),
        first_spot=modem * count,
        spot_count=np.full(len(modem), count),
    )
    repeated = np.tile(points, (len(operators), 1))
    environment = np.full(len(repeated), MOVING)
    return devices, _spots(repeated, np.tile(commune, len(operators)), np.repeat(operators, count), environment)


def _crews(settlement: Settlement, count: int, rng: np.random.Generator) -> tuple[Devices, Spots]:
    """Return certified crews: each has one operator's modem and spots in the three conditions of QCVN, a third each."""
    operator = np.arange(count) % len(OPERATORS)
    commune = homes(settlement, count * SPOTS_A_CREW, rng)
    devices = Devices(
        kind=np.full(count, CREW),
        operator=operator,
        has_nr=np.arange(count) // len(OPERATORS) % 2 == 0,
        uses_sa=np.full(count, False),
        gain=np.ones(count),
        activity=np.ones(count),
        organisation=np.full(count, -1),
        first_spot=np.arange(count) * SPOTS_A_CREW,
        spot_count=np.full(count, SPOTS_A_CREW),
    )
    environment = np.tile(np.arange(SPOTS_A_CREW) % 3, count)
    return devices, _spots(settlement.places(commune, rng), commune, np.repeat(operator, SPOTS_A_CREW), environment)


def join(parts: Sequence[tuple[Devices, Spots]]) -> tuple[Devices, Spots]:
    """Join groups of devices; their spots are renumbered."""
    shifted, start = [], 0
    for devices, spots in parts:
        shifted.append(devices._replace(first_spot=devices.first_spot + start))
        start += len(spots.points)
    devices = Devices(*(np.concatenate(column) for column in zip(*shifted, strict=True)))
    spots = Spots(*(np.concatenate(column) for column in zip(*(spots for _, spots in parts), strict=True)))
    return devices, spots


def build(
    settlement: Settlement, phones: int, probes: int, skew: float, urban_bias: float, rng: np.random.Generator
) -> Panel:
    """Return the panel of a city: fixed probes, phones, eight cars, eight certified crews."""
    home = homes(settlement, phones, rng, urban_bias)
    devices, spots = join(
        [
            _fixed(settlement, probes, rng),
            _phones(settlement, home, _operators(phones, rng), skew, rng),
            _cars(settlement, rng),
            _crews(settlement, 8, rng),
        ]
    )
    names = [f"UBND {name}" for name in settlement.names]
    names += [f"Cơ quan {number:03d}" for number in range(1, max(0, probes - len(names)) + 1)]
    return Panel(devices, spots, names)


def population(settlement: Settlement, home: Integers, operator: Integers, rng: np.random.Generator) -> Panel:
    """Return citizens drawn afresh, one phone a person: what the truth is computed over."""
    return Panel(*_phones(settlement, home, operator, 0.0, rng), [f"UBND {name}" for name in settlement.names])
