"""The KPIs that are watched, one row each: how values become comparable, and how large a fall counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from measurement.kpi import BY_ID, Better

Floats = npt.NDArray[np.float64]


class Watched(NamedTuple):
    """`is_log` values are compared by ratio; `fall` is the smallest drop that is told, `major` that of severity 2.

    Drops of shares are differences: 0.05 is five more failures in a hundred tests.
    """

    kpi: str
    is_log: bool
    fall: float
    major: float

    def severity(self, drop: float) -> int:
        """Return 1 for a minor and 2 for a major drop."""
        return 2 if drop >= self.major else 1


WATCHED: tuple[Watched, ...] = (
    Watched("downlink", True, 0.20, 0.30),
    Watched("uplink", True, 0.20, 0.30),
    Watched("latency", True, 0.20, 0.30),
    Watched("access_failure", False, 0.05, 0.15),
)
"""RATING, degradation: 20 % for ratios (evidence D); QCVN's limit of access failure is 5 %.

Major, which pages, is 30 %: the estimate from an hour of 60 tests errs by some 8 %, so a fall of 40 % is surely major.
"""
BY_KPI = {row.kpi: row for row in WATCHED}


def oriented(row: Watched, values: Floats) -> Floats:
    """Return values of which more is better: logarithms of ratios, shares as they are.

    Examples
    --------
    >>> oriented(BY_KPI['downlink'], np.array([1.0])).tolist()
    [0.0]
    >>> oriented(BY_KPI['access_failure'], np.array([1.0])).tolist()
    [-1.0]
    """
    sign = 1.0 if BY_ID[row.kpi].better is Better.HIGHER else -1.0
    with np.errstate(divide="ignore"):
        scale = np.log(np.maximum(values, 1e-3)) if row.is_log else values
    return np.asarray(sign * scale + 0.0)


def drop(row: Watched, difference: float) -> float:
    """Return the drop that a difference of oriented values means; below zero it rose.

    Examples
    --------
    >>> round(drop(BY_KPI['downlink'], np.log(0.7)), 2), drop(BY_KPI['access_failure'], -0.06)
    (0.3, 0.06)
    """
    return float(1 - np.exp(difference)) if row.is_log else -difference
