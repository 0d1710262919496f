"""Who measures when on one day: each kind of device by its own habit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulation.fixes import FIXES_A_SPOT
from simulation.panel import CREW, DRIVE, PHONE, PROBE, ROAD_STEP_M, Devices, Mix
from simulation.traffic import MEASURED, spot_of_phone

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

HOUR_S = 3600.0
UTC_OFFSET_S = 7 * HOUR_S
"""The deployment's time zone, Asia/Ho_Chi_Minh: no summer time since 1975."""
_EPOCH = date(1970, 1, 1).toordinal()
SPOTS_A_DAY = 12
"""Places a certified crew visits on one day."""
DRIVE_MPS = 9.0
DRIVE_GAP_S = (30.0, 300.0)
"""Tests of a drive lie at least 30 s apart (QCVN 81:2019), and not much more than is needed to fill the day."""


class Tests(NamedTuple):
    """One value a test, in the order of time. `day` is a proleptic ordinal, `second` counts from local midnight."""

    day: Integers
    device: Integers
    spot: Integers
    fix: Integers
    second: Reals
    hour: Integers


def unix_seconds(tests: Tests) -> Reals:
    """Return when each test started, in seconds since 1970, UTC.

    Examples
    --------
    >>> midnight = Tests(*(np.array([v]) for v in (date(1970, 1, 2).toordinal(), 0, 0, 0, 0.0, 0)))
    >>> unix_seconds(midnight).tolist()
    [61200.0]
    """
    return (tests.day - _EPOCH) * 86_400.0 - UTC_OFFSET_S + tests.second


def _turns(count: int, devices: int, rng: np.random.Generator) -> tuple[Integers, Integers, Integers]:
    """Share tests among devices by chance: the device of each, its running number there, and how many each has."""
    each = np.bincount(rng.integers(max(1, devices), size=count), minlength=devices)
    own = np.repeat(np.arange(devices), each)
    return own, np.arange(count) - np.repeat(np.cumsum(each) - each, each), each


def join(parts: Sequence[Tests]) -> Tests:
    """Return the tests of several days, one after the other."""
    return Tests(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Habits:
    """Draws a day's tests of a panel."""

    def __init__(self, devices: Devices, mix: Mix) -> None:
        self.devices = devices
        self.of_kind = [np.flatnonzero(devices.kind == kind) for kind in range(4)]
        shares = np.array([share if len(own) else 0.0 for share, own in zip(mix, self.of_kind, strict=True)])
        self.shares = shares / shares.sum()
        activity = devices.activity[self.of_kind[PHONE]]
        self.reach = np.cumsum(activity) / max(activity.sum(), 1e-300)

    def day(self, day: date, count: int, rng: np.random.Generator) -> Tests:
        """Draw `count` tests of one day."""
        counts = rng.multinomial(count, self.shares)
        draws = (self._probes, self._phones, self._drives, self._crews)
        parts = [draws[kind](int(counts[kind]), rng) for kind in (PROBE, PHONE, DRIVE, CREW)]
        device, spot, second = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(second)
        spot = spot[order]
        fix = spot * FIXES_A_SPOT + rng.integers(FIXES_A_SPOT, size=count)
        return Tests(
            np.full(count, day.toordinal()),
            device[order],
            spot,
            fix,
            second[order],
            (second[order] // HOUR_S).astype(np.int64),
        )

    def each_once(self, start: date, days: int, rng: np.random.Generator) -> Tests:
        """Draw one test of every phone, each on one of the days."""
        device = self.of_kind[PHONE]
        hour = np.searchsorted(np.cumsum(MEASURED) / MEASURED.sum(), rng.random(len(device))).clip(0, 23)
        spot = self.devices.first_spot[device] + spot_of_phone(hour, rng)
        fix = spot * FIXES_A_SPOT + rng.integers(FIXES_A_SPOT, size=len(device))
        second = (hour + rng.random(len(device))) * HOUR_S
        return Tests(start.toordinal() + rng.integers(days, size=len(device)), device, spot, fix, second, hour)

    def _probes(self, count: int, rng: np.random.Generator) -> tuple[Integers, Integers, Reals]:
        probes = self.of_kind[PROBE]
        own, step, each = _turns(count, len(probes), rng)
        # One test in each equal part of the day: hours are sampled alike and tests keep their distance.
        second = 24 * HOUR_S * (step + 0.8 * rng.random(count)) / each[own]
        return probes[own], self.devices.first_spot[probes[own]], second

    def _phones(self, count: int, rng: np.random.Generator) -> tuple[Integers, Integers, Reals]:
        device = self.of_kind[PHONE][
            np.searchsorted(self.reach, rng.random(count)).clip(0, max(0, len(self.reach) - 1))
        ]
        hour = np.searchsorted(np.cumsum(MEASURED) / MEASURED.sum(), rng.random(count)).clip(0, 23)
        spot = self.devices.first_spot[device] + spot_of_phone(hour, rng)
        return device, spot, (hour + rng.random(count)) * HOUR_S

    def _drives(self, count: int, rng: np.random.Generator) -> tuple[Integers, Integers, Reals]:
        modems = self.of_kind[DRIVE]
        own, step, each = _turns(count, len(modems), rng)
        gap = np.clip(14 * HOUR_S / np.maximum(each, 1), *DRIVE_GAP_S)
        start = 6 * HOUR_S + rng.uniform(0, np.maximum(1, 15 * HOUR_S - gap * each))
        second = (start[own] + step * gap[own]) % (24 * HOUR_S)
        length = self.devices.spot_count[modems]
        first = rng.integers(np.maximum(length, 1))
        metres = step * gap[own] * DRIVE_MPS
        spot = (first[own] + (metres / ROAD_STEP_M).astype(np.int64)) % length[own]
        return modems[own], self.devices.first_spot[modems[own]] + spot, second

    def _crews(self, count: int, rng: np.random.Generator) -> tuple[Integers, Integers, Reals]:
        crews = self.of_kind[CREW]
        own, step, each = _turns(count, len(crews), rng)
        second = 8 * HOUR_S + 10 * HOUR_S * (step + 0.5 * rng.random(count)) / each[own]
        device = crews[own]
        first = rng.integers(self.devices.spot_count[crews]) if len(crews) else crews
        visited: Integers = (first[own] + step * SPOTS_A_DAY // each[own]) % self.devices.spot_count[device]
        return device, self.devices.first_spot[device] + visited, second
