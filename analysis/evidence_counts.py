"""How many tests, devices and days stand behind each KPI of each group, mixes included."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.groups import Floats, Frame, Ints, order_of


class Counts(NamedTuple):
    """Evidence behind a KPI in every row of a table. Shapes (rows,)."""

    samples: Floats
    devices: Floats
    days: Floats

    def at(self, index: Ints) -> Counts:
        """Return some of the rows."""
        return Counts(self.samples[index], self.devices[index], self.days[index])


class _Roll(NamedTuple):
    """What counts once in mixes: pairs of group and device in the order of mix and device, and where each begins."""

    order: Ints
    starts: Ints
    row: Ints


class Counter:
    """Counts for one frame of tests; a device, or a day, in several groups counts once in their mix."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        changes = (np.diff(frame.group, prepend=-1) != 0) | (np.diff(frame.device, prepend=frame.device[:1]) != 0)
        self.starts = np.flatnonzero(changes)
        group, device = frame.group[self.starts], frame.device[self.starts]
        self.pair_row = group
        self.rolls = [self._roll(rows[group], device) for rows in frame.mixes_of_group]
        self.first_day = int(frame.day.min())
        self.days = int(frame.day.max()) - self.first_day + 1

    def _roll(self, row: Ints, device: npt.NDArray[np.uint32]) -> _Roll:
        pairs = np.flatnonzero(row >= self.frame.groups_count)
        order = pairs[order_of(row[pairs], device[pairs])]
        row, device = row[order], device[order]
        starts = np.flatnonzero((np.diff(row, prepend=-1) != 0) | (np.diff(device, prepend=device[:1]) != 0))
        return _Roll(order, starts, row[starts])

    def of(self, valid: npt.NDArray[np.bool_]) -> Counts:
        """Count what stands behind the tests that have a KPI."""
        frame = self.frame
        groups, size = frame.groups_count, frame.rows_count
        tests: Floats = np.asarray(np.bincount(frame.group, valid, minlength=size), np.float64)
        frame.pool(tests)
        present = np.maximum.reduceat(valid.view(np.uint8), self.starts)
        devices: Floats = np.asarray(np.bincount(self.pair_row, present, minlength=size), np.float64)
        for roll in self.rolls:
            if len(roll.order):
                seen = np.maximum.reduceat(present[roll.order], roll.starts)
                devices += np.bincount(roll.row, seen, minlength=size)
        marks = np.zeros((size, self.days), np.uint8)
        marks[frame.group[valid], (frame.day[valid] - self.first_day).astype(np.int64)] = 1
        if size > groups:
            marks[groups:] = frame.members @ marks[:groups] > 0
        return Counts(tests, devices, np.count_nonzero(marks, axis=1).astype(np.float64))
