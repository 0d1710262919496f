"""Tallies of one KPI over many groups at once: weighted distributions, and where their uncertainty comes from.

One device, one vote, divided over where and on what it was used: the weights of all tests of a device in a period sum
to 1, and those of one unit of `analysis.partition` are equal shares of one. A mix pools what it mixes. The variance of
an estimate is taken between devices, which are what was sampled; they are dealt into `SPLITS` random groups by a hash,
so that a tally has a fixed size however many devices there are (Wolter 2007, chapter 2).

Tables have one row for each group that has tests and each mix of several (`analysis.groups`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.evidence_counts import Counter, Counts
from analysis.groups import Floats, Frame, Ints
from analysis.intervals import shrink
from analysis.quantisation import BINS, MISSING, SCALES, SHARES

SPLITS = 32
"""Random groups of devices: 31 degrees of freedom at most."""

_EDGES = np.array([0.005, 0.02, 0.04, 0.06, 0.08, *np.arange(0.1, 0.9, 0.04), 0.9, 0.93, 0.96, 0.98, 0.99, 0.997])
CLASSES = len(_EDGES) + 1
"""Coarse classes of values, by quantiles of the unit's pooled distribution; finer at the tails."""

_LEAST = 1e-15
"""Of the weight: a quantile of nothing at all is the lowest value there is."""


class Basis(NamedTuple):
    """The tests that have a value of a KPI, and what their weights say; the same for all KPIs measured together.

    `row` names the K rows of tables with such tests; what follows it has one entry for each of them.
    """

    row: Ints  # (K,)
    slot: Ints  # slots that have such tests
    position: Ints  # where each of these slots stands among the K
    rows_count: Floats  # (K,) units of `analysis.partition`
    votes: Floats  # (K,) sum of the weights
    kish: Floats  # (K,) effective number of tests, (sum w)**2 / sum w**2
    by_split: Floats  # (K, SPLITS) weight
    clusters: Floats  # (K,) effective number of clusters
    worth: Floats  # (K,) what a variance from so many clusters is worth
    counts: Counts  # (K,)


class Distribution(NamedTuple):
    """Where the weight of the tests of each row lies among the values that occur."""

    centres: Floats  # (R,) values, ascending
    below: Floats  # (rows, R) weight at or below each
    kind: npt.NDArray[np.uint8]  # (units, R) class of each value, from 1
    unit: Ints  # (K,) unit of each row of the basis, as `kind` numbers them
    by_kind: Floats  # (rows, CLASSES + 1, SPLITS) weight at or below each class


class Tally(NamedTuple):
    """What one KPI says of each group. Shares of failures and the like need no distribution."""

    basis: Basis
    sums: Floats  # (K, SPLITS) weight x value
    spread: Distribution | None


class _Chosen(NamedTuple):
    """Tests that have a value of a KPI: which they are, and what of them every tally needs."""

    basis: Basis
    index: Any  # into the frame
    group: Ints
    cluster: Ints
    weight: Floats


class Tallier:
    """Tallies the KPIs of one frame; what their weights say is worked out once for all that were measured together."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.counter = Counter(frame)
        self.cluster = frame.group * SPLITS + frame.split

    def tallies(self, kpis: Sequence[str]) -> Iterator[tuple[str, Tally]]:
        """Yield each KPI that was measured at all with its tally, those measured together one after the other."""
        patterns: list[tuple[npt.NDArray[np.bool_], list[str]]] = []
        for kpi in kpis:
            valid = self.frame.codes[kpi] != MISSING
            own = next((names for known, names in patterns if np.array_equal(known, valid)), None)
            if own is None:
                patterns.append((valid, [kpi]))
            else:
                own.append(kpi)
        for valid, names in patterns:
            if valid.any():
                chosen = self._chosen(valid)
                yield from ((kpi, self._tally(chosen, kpi)) for kpi in names)

    def _tally(self, chosen: _Chosen, kpi: str) -> Tally:
        centres = SCALES[kpi].centres
        code = self.frame.codes[kpi][chosen.index]
        sums = self._table(chosen.cluster, chosen.weight * centres[code], SPLITS)[chosen.basis.row]
        return Tally(chosen.basis, sums, None if kpi in SHARES else self._spread(chosen, code, centres))

    def _table(self, index: Ints, weight: Floats, *shape: int) -> Floats:
        """Sum weights by index into a table of this shape for each row, mixes pooled."""
        size = int(np.prod(shape))
        flat = np.bincount(index, weight, minlength=self.frame.rows_count * size)
        table = np.asarray(flat, np.float64).reshape(-1, size)
        self.frame.pool(table)
        return table.reshape(-1, *shape) if shape else table[:, 0]

    def _chosen(self, valid: npt.NDArray[np.bool_]) -> _Chosen:
        frame = self.frame
        index = slice(None) if valid.all() else np.flatnonzero(valid)
        group, cluster, weight = frame.group[index], self.cluster[index], frame.weight[index]
        rows_count = self._table(group, frame.share[index])
        row = np.flatnonzero(rows_count > 0)
        place = np.full(len(rows_count), -1)
        place[row] = np.arange(len(row))
        held = place[frame.row_of_slot] >= 0
        by_split = self._table(cluster, weight, SPLITS)[row]
        votes = by_split.sum(1)
        clusters = np.square(votes) / np.square(by_split).sum(1)
        kish = np.square(votes) / self._table(group, weight * weight)[row]
        basis = Basis(
            row, frame.slot[held], place[frame.row_of_slot[held]], rows_count[row], votes, kish, by_split, clusters,
            shrink(clusters), self.counter.of(valid).at(row),
        )  # fmt: skip
        return _Chosen(basis, index, group, cluster, weight)

    def _spread(self, chosen: _Chosen, code: npt.NDArray[np.uint16], centres: Floats) -> Distribution:
        frame, basis, weight = self.frame, chosen.basis, chosen.weight
        present = np.flatnonzero(np.bincount(code, minlength=BINS))
        rank = np.zeros(BINS, np.int64)
        rank[present] = np.arange(len(present))
        index = rank[code]
        index += chosen.group * len(present)
        below = self._table(index, weight, len(present))
        np.cumsum(below, 1, out=below)
        kind = _kinds(below[frame.top])
        # Groups come first among the rows, so that the index of a test finds its class, too.
        of_groups = kind[frame.unit_of_row[: frame.groups_count]]
        # By group, class and split: the number of the cluster is group x SPLITS + split already.
        cell = of_groups.ravel()[index].astype(np.int64)
        cell += chosen.group * CLASSES
        cell *= SPLITS
        cell += chosen.cluster
        by_kind = self._table(cell, weight, CLASSES + 1, SPLITS)
        for number in range(1, CLASSES + 1):
            by_kind[:, number] += by_kind[:, number - 1]
        return Distribution(centres[present], below, kind, frame.unit_of_row[basis.row], by_kind)


def _kinds(below: Floats) -> npt.NDArray[np.uint8]:
    """Return the class of each value of each unit, by the unit's pooled distribution."""
    units, size = below.shape
    edges = np.broadcast_to(_EDGES, (units, len(_EDGES)))
    row = np.repeat(np.arange(units), len(_EDGES))
    after = first_at(below, row, edges.ravel() * below[row, -1]) + 1
    marks = np.zeros((units, size + 1), np.uint8)
    np.add.at(marks, (row, after), 1)
    return np.asarray(1 + np.cumsum(marks[:, :size], 1, dtype=np.uint8), np.uint8)


def first_at(below: Floats, row: Ints, target: Floats) -> Ints:
    """Return the first place in a row of an ascending table that reaches a target; the last where none does.

    Examples
    --------
    >>> first_at(np.array([[1.0, 2.0, 4.0]]), np.array([0, 0]), np.array([1.5, 9.0])).tolist()
    [1, 2]
    """
    target = np.maximum(target, _LEAST * below[row, -1])
    low, high = np.zeros(len(row), np.int64), np.full(len(row), below.shape[1] - 1)
    for _ in range(int(below.shape[1]).bit_length()):
        middle = (low + high) >> 1
        reaches = below[row, middle] >= target
        low, high = np.where(reaches, low, np.minimum(middle + 1, high)), np.where(reaches, middle, high)
    return np.asarray(low)
