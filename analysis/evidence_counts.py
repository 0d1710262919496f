"""How many tests, devices and days stand behind each KPI of each group, mixes included."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.tally import Frame, Rows, mix_count, slots

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Counts(NamedTuple):
    """Evidence behind a KPI in every group with mixes. Shapes (G,)."""

    samples: Floats
    devices: Floats
    days: Floats  # of a mix: summed over what it mixes

    def at(self, index: Ints) -> Counts:
        """Return some of the groups."""
        return Counts(self.samples[index], self.devices[index], self.days[index])


class _Roll(NamedTuple):
    """What is counted once: the number of it each row or pair stands for, and the group of each."""

    number: Ints
    slot: Ints


class Counter:
    """Counts for one frame of rows; a device in several groups counts once in their mix."""

    def __init__(self, frame: Frame, rows: Rows) -> None:
        self.frame = frame
        mixes = product((False, True) if frame.shape[1] > 1 else (False,), (False, True))
        self.rolls = [self._roll(*over) for over in mixes]
        day = rows.day[frame.order].astype(np.int64)
        keys, number = np.unique(frame.group << 16 | day, return_inverse=True)
        self.days = _Roll(number.astype(np.int64), keys >> 16)

    def _roll(self, over_operators: bool, over_technologies: bool) -> _Roll:
        _, operators, technologies = self.frame.shape
        group = self.frame.device_group
        unit, pair = np.divmod(group, operators * technologies)
        operator, technology = np.divmod(pair, technologies)
        held_operators, held_technologies = slots(self.frame.shape)
        operator = np.full_like(operator, operators) if over_operators else operator
        technology = np.full_like(technology, technologies) if over_technologies else technology
        slot = (unit * held_operators + operator) * held_technologies + technology
        keys, number = np.unique(slot << 32 | self.frame.device_name, return_inverse=True)
        return _Roll(number.astype(np.int64), keys >> 32)

    def of(self, valid: npt.NDArray[np.bool_]) -> Counts:
        """Count what stands behind the rows that have a KPI; `valid` is in the order of the frame."""
        frame = self.frame
        groups = int(np.prod(frame.shape))
        tests = np.bincount(frame.group[valid], minlength=groups)
        present = np.bincount(frame.device[valid], minlength=len(frame.device_group)) > 0
        devices = np.zeros(frame.shape[0] * int(np.prod(slots(frame.shape))))
        for roll in self.rolls:
            seen = np.bincount(roll.number[present], minlength=len(roll.slot)) > 0
            devices += np.bincount(roll.slot[seen], minlength=len(devices))
        days = np.bincount(self.days.number[valid], minlength=len(self.days.slot)) > 0
        held = np.bincount(self.days.slot[days], minlength=groups)
        return Counts(mix_count(tests, frame.shape), devices, mix_count(held, frame.shape))
