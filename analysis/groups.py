"""Groups of tests and the slots that pool them: which operator, technology or mix of them each figure is about.

A group is (unit, operator, technology); a unit is an area, an area in a month, or a base station. A slot is a group, or
the mix over operators, over technologies, or over both.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """Tests of some units, as columns of equal length.

    `share` is 1 / unit_size; `weight` the part of its device's vote that a test holds; `split` the random group of its
    device; `day` counts from 1970.
    """

    unit: Ints
    operator: Ints
    technology: Ints
    device: npt.NDArray[np.uint32]
    split: npt.NDArray[np.uint8]
    share: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    day: npt.NDArray[np.uint16]
    is_simulated: npt.NDArray[np.bool_]
    codes: dict[str, npt.NDArray[np.uint16]]


class Frame(NamedTuple):
    """Tests in the order of groups and devices, and the rows that tables about them have.

    A table has a row for each of the B groups that have tests, then one for each mix of two groups or more. A mix of
    one group is that group's row.
    """

    shape: tuple[int, int, int]
    group: Ints  # (tests,) row of the group of each
    device: npt.NDArray[np.uint32]
    split: Ints
    share: Floats
    weight: Floats
    day: npt.NDArray[np.uint16]
    simulated: npt.NDArray[np.bool_]
    codes: dict[str, npt.NDArray[np.uint16]]
    slot: Ints  # (slots with tests,) their numbers, ascending
    row_of_slot: Ints
    members: csr_array  # (mixes, B) of 0 and 1
    mixes_of_group: Ints  # (kinds of mixes, B) row that each group goes into
    unit_of_row: Ints  # (rows,) among the units that have tests
    technology_of_row: Ints  # the number of technologies itself for their mixes
    top: Ints  # (units with tests,) row of everything in the unit

    @property
    def groups_count(self) -> int:
        """B."""
        return int(self.members.shape[1])

    @property
    def rows_count(self) -> int:
        """Rows of a table."""
        return int(sum(self.members.shape))

    def pool(self, table: npt.NDArray[Any]) -> None:
        """Fill the mixes of a table whose groups are filled; shape (rows, …)."""
        count = self.groups_count
        if len(table) > count:
            table[count:] = self.members @ table[:count]


def slots(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the numbers of operators and technologies with their mixes; one alone needs no mix of its own."""
    return shape[1] + (shape[1] > 1), shape[2] + 1


def order_of(*keys: npt.NDArray[Any]) -> Ints:
    """Return the order that sorts by some non-negative whole keys, the first one first; equals stay as they are.

    Examples
    --------
    >>> order_of(np.array([1, 0, 1]), np.array([5, 9, 4])).tolist()
    [1, 2, 0]
    """
    count = len(keys[0])
    widths = [int(key.max(initial=0)).bit_length() for key in keys]
    number = max(count - 1, 0).bit_length()
    if sum(widths) + number > 64:
        return np.lexsort(keys[::-1])
    packed = np.zeros(count, np.uint64)
    for key, width in zip(keys, widths, strict=True):
        packed = packed << np.uint64(width) | key.astype(np.uint64)
    # Values sort several times faster than an order does: each carries its own number.
    packed = packed << np.uint64(number) | np.arange(count, dtype=np.uint64)
    packed.sort()
    return np.asarray(packed & np.uint64((1 << number) - 1), np.int64)


def _picked(rows: Rows, chosen: Any) -> Rows:
    codes = {kpi: codes[chosen] for kpi, codes in rows.codes.items()}
    columns = {name: values[chosen] for name, values in rows._asdict().items() if name != "codes"}
    return Rows(**columns, codes=codes)


def in_order(rows: Rows) -> Rows:
    """Return tests in the order of unit, operator, technology and device."""
    return _picked(rows, order_of(rows.unit, rows.operator, rows.technology, rows.device))


def part(rows: Rows, first: int, last: int) -> Rows:
    """Return the tests from first to last (exclusive), without a copy."""
    return _picked(rows, slice(first, last))


def framed(rows: Rows, shape: tuple[int, int, int]) -> Frame:
    """Put tests that are in order (`in_order`) into groups.

    Parameters
    ----------
    rows
        At least one test.
    shape
        Numbers of units, operators, technologies.
    """
    cell = (rows.unit.astype(np.int64) * shape[1] + rows.operator) * shape[2] + rows.technology
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(cell)))
    unit, pair = np.divmod(cell[starts], shape[1] * shape[2])
    operator, technology = np.divmod(pair, shape[2])
    operators, technologies = slots(shape)
    kinds = [
        (unit * operators + (shape[1] if over_operators else operator)) * technologies
        + (shape[2] if over_technologies else technology)
        for over_operators, over_technologies in product((False, True)[: operators - shape[1] + 1], (False, True))
    ]
    every: Ints = np.concatenate(kinds)
    slot, first, inverse, sizes = np.unique(every, return_index=True, return_inverse=True, return_counts=True)
    count = len(starts)
    is_mix = sizes > 1
    row = np.where(is_mix, count + np.cumsum(is_mix) - 1, first % count)
    rows_of_kinds = row[inverse].reshape(len(kinds), count)
    mixed = np.flatnonzero(rows_of_kinds.ravel() >= count)
    pairs = (rows_of_kinds.ravel()[mixed] - count, mixed % count)
    members = csr_array((np.ones(len(mixed)), pairs), shape=(int(is_mix.sum()), count))
    units, unit = np.unique(unit, return_inverse=True)
    mix = slot[is_mix]
    return Frame(
        shape, group, rows.device, rows.split.astype(np.int64), rows.share.astype(np.float64),
        rows.weight.astype(np.float64), rows.day, rows.is_simulated, rows.codes, slot, row, members,
        rows_of_kinds[1:], np.concatenate((unit, np.searchsorted(units, mix // (operators * technologies)))),
        np.concatenate((technology, mix % technologies)),
        rows_of_kinds[-1][np.searchsorted(unit, np.arange(len(units)))],
    )  # fmt: skip
