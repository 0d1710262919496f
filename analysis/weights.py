"""Weights: every H3 cell of an area counts the same, and no device holds more than a twentieth.

All functions work on columns of collapsed rows; groups, cells and devices are small integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DEVICE_CAP = 0.05
"""Largest share of a group's weight that one device may hold (docs/rating.md, weights; evidence D)."""


def cell_weights(cell: npt.NDArray[Any]) -> Floats:
    """Return 1/n of each row's cell; `cell` numbers the cells of all groups.

    Examples
    --------
    >>> cell_weights(np.array([0, 0, 1])).tolist()
    [0.5, 0.5, 1.0]
    """
    return np.asarray(1.0 / np.bincount(cell)[cell])


def cap_devices(totals: Floats, group: npt.NDArray[Any], groups_count: int, cap: float = DEVICE_CAP) -> Floats:
    """Return the factor of each device that holds it to its share of the group's weight.

    Parameters
    ----------
    totals
        Weight of each device of each group.
    group
        Group of each of them.
    groups_count
        Number of groups.
    cap
        Largest share. A group of fewer than 1/cap devices is held to equal shares.

    Examples
    --------
    >>> factor = cap_devices(np.array([50.0, *[1.0] * 50]), np.zeros(51, int), 1)
    >>> round(float(factor[0] * 50 / (factor[0] * 50 + 50)), 3)
    0.05
    """
    devices = np.bincount(group[totals > 0], minlength=groups_count)
    share = np.maximum(cap, 1 / np.maximum(devices, 1))[group]
    held = totals.copy()
    # Each pass fixes the devices over the cap to their share of what the others hold; few passes settle it.
    over = np.zeros(len(totals), bool)
    for _ in range(8):
        whole = np.bincount(group, held, minlength=groups_count)
        fresh = (held > share * whole[group] * (1 + 1e-9)) & ~over
        if not fresh.any():
            break
        over |= fresh
        free = np.bincount(group, np.where(over, 0.0, totals), minlength=groups_count)
        fixed = np.bincount(group, np.where(over, share, 0.0), minlength=groups_count)
        room = np.maximum(1 - fixed, 0)[group]
        with np.errstate(divide="ignore", invalid="ignore"):
            target = np.where(room > 1e-9, share * free[group] / room, 0.0)
        all_over = free[group] <= 0
        held = np.where(over, np.where(all_over, 1.0, np.minimum(target, totals)), totals)
    factor = np.ones(len(totals))
    np.divide(held, totals, out=factor, where=totals > 0)
    return factor


def effective_count(weights: Floats) -> float:
    """Return Kish's effective number of samples, (sum w)**2 / sum w**2.

    Examples
    --------
    >>> effective_count(np.array([1.0, 1.0, 1.0, 1.0])), effective_count(np.array([3.0, 1.0]))
    (4.0, 1.6)
    """
    return float(weights.sum() ** 2 / np.square(weights).sum())
