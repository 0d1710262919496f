"""A way through some stops: cheapest insertion while choosing, 2-opt at the end."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DETOUR = 1.3
"""Streets are this much longer than the straight line (Boscoe et al. 2012: 1.4 in the median; fewer in dense grids)."""


def minutes_between(points: Floats, speed_kmh: float) -> Floats:
    """Return the minutes of way between each two points in metres, shape (n, n).

    Examples
    --------
    >>> minutes_between(np.array([[0.0, 0.0], [10_000.0, 0.0]]), 26.0).round().tolist()
    [[0.0, 30.0], [30.0, 0.0]]
    """
    gap = points[:, None] - points[None]
    return np.asarray(np.hypot(gap[..., 0], gap[..., 1]) * DETOUR / 1000 / speed_kmh * 60)


def nearest_neighbour(minutes: Floats) -> list[int]:
    """Return an order that begins at point 0 and always goes to the nearest point left.

    Examples
    --------
    >>> nearest_neighbour(np.abs(np.subtract.outer([0.0, 5.0, 1.0], [0.0, 5.0, 1.0])))
    [0, 2, 1]
    """
    order, left = [0], set(range(1, len(minutes)))
    while left:
        here = minutes[order[-1]]
        following = min(left, key=lambda place: (here[place], place))
        order.append(following)
        left.remove(following)
    return order


def two_opt(order: list[int], minutes: Floats) -> list[int]:
    """Turn stretches of an open way around while that makes it shorter; the first point stays.

    Examples
    --------
    >>> line = np.array([0.0, 1.0, 2.0, 3.0])
    >>> two_opt([0, 2, 1, 3], np.abs(np.subtract.outer(line, line)))
    [0, 1, 2, 3]
    """
    best = list(order)
    improved = True
    while improved:
        improved = False
        for i in range(1, len(best) - 1):
            for j in range(i + 1, len(best)):
                before = minutes[best[i - 1], best[i]]
                after = minutes[best[i - 1], best[j]]
                if j + 1 < len(best):
                    before += minutes[best[j], best[j + 1]]
                    after += minutes[best[i], best[j + 1]]
                if after < before - 1e-9:
                    best[i : j + 1] = best[i : j + 1][::-1]
                    improved = True
    return best


def length(order: list[int], minutes: Floats) -> float:
    """Return the minutes of a way."""
    return float(sum(minutes[a, b] for a, b in itertools.pairwise(order)))
