"""How busy the network is, and when people measure, by the hour of the day."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Relative load of a cell by local hour: evening peak at homes, office hours in centres.
RESIDENTIAL = (
    0.42, 0.30, 0.24, 0.22, 0.24, 0.36, 0.58, 0.78, 0.86, 0.90, 0.94, 1.02,
    1.08, 0.98, 0.92, 0.92, 0.98, 1.10, 1.22, 1.38, 1.48, 1.46, 1.16, 0.74,
)  # fmt: skip
BUSINESS = (
    0.30, 0.22, 0.18, 0.18, 0.22, 0.36, 0.66, 1.02, 1.30, 1.42, 1.44, 1.34,
    1.16, 1.20, 1.40, 1.44, 1.40, 1.34, 1.16, 1.10, 1.08, 1.00, 0.74, 0.46,
)  # fmt: skip
PROFILES = np.array([BUSINESS, RESIDENTIAL, RESIDENTIAL, RESIDENTIAL])
"""One profile a type of commune, in the order of `simulation.settlement.KINDS`."""

WEEKDAY = (1.0, 1.0, 1.0, 1.0, 1.04, 1.06, 1.02)
"""Relative load from Monday to Sunday."""

MEASURED = np.array(
    [1, 0.5, 0.3, 0.2, 0.3, 0.8, 2, 3.5, 5, 5.5, 5.5, 5.5, 5, 4.5, 5, 5.2, 5.2, 5.4, 5.5, 6.5, 7.2, 7, 5, 2.5]
)
"""When citizens measure, by local hour."""

AT_WORK = np.array([0.05] * 7 + [0.4] + [0.75] * 4 + [0.4] + [0.75] * 4 + [0.35] + [0.1] * 6)
"""Chance that a citizen who measures does so at work, by local hour; of the rest, nine in twenty are about."""


def load(base: Reals, kind: Integers, hour: Integers, weekday: int | Integers) -> Reals:
    """Return the load of cells, 0.02 to 0.97, from their mean load, type of commune, local hour and weekday (0 Monday).

    Examples
    --------
    >>> load(np.array([0.5]), np.array([2]), np.array([20]), 0).round(2).tolist()
    [0.74]
    """
    result: Reals = np.clip(base * PROFILES[kind, hour] * np.array(WEEKDAY)[weekday], 0.02, 0.97)
    return result


def spot_of_phone(hour: Integers, rng: np.random.Generator) -> Integers:
    """Draw which of a phone's four spots it is at: 0 home, 1 by the home, 2 at work, 3 elsewhere."""
    at_work = rng.random(len(hour)) < AT_WORK[hour]
    otherwise = rng.choice([0, 1, 3], len(hour), p=[0.55, 0.15, 0.30])
    return np.where(at_work, 2, otherwise)
