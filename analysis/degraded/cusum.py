"""When the residuals of a stream turned: Page's cumulative sums over hours, and the most likely moment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLACK = 0.5
LIMIT = 5.0
"""k and h of docs/degradation.md: a shift of one deviation an hour is found in about ten hours, of three in two."""


class Alarms(NamedTuple):
    """Streams whose sum is over the limit now, and the hour at which each sum left zero."""

    stream: Ints
    start: Ints
    height: Floats


def cusum(z: Floats) -> Alarms:
    """Run Page's one-sided test for a fall over every stream at once.

    Parameters
    ----------
    z
        Standardised mean of each stream and hour, shape (streams, hours); NaN where there was no test.

    Examples
    --------
    >>> z = np.array([[0.1, -0.3, 0.2, -4.0, -4.0, -3.0], [0.0, 0.3, -0.4, 0.1, np.nan, 0.2]])
    >>> cusum(z).stream.tolist(), cusum(z).start.tolist()
    ([0], [3])
    """
    streams, hours = z.shape
    height, start = np.zeros(streams), np.zeros(streams, np.int64)
    for hour in range(hours):
        fresh = height <= 0
        start[fresh] = hour
        step = np.nan_to_num(-z[:, hour] - SLACK, nan=0.0)
        height = np.maximum(height + step, 0)
    over = np.flatnonzero(height > LIMIT)
    return Alarms(over, start[over], height[over])


def change_point(residual: Floats, weight: Floats, earliest: int) -> int:
    """Return the first row after the most likely fall of the mean, at or after row `earliest`.

    Parameters
    ----------
    residual
        Residuals in order of time.
    weight
        Their weights, one over the variance.
    earliest
        Rows before it are surely before the fall.

    Examples
    --------
    >>> change_point(np.array([0.1, -0.1, 0.0, -1.0, -1.1, -0.9]), np.ones(6), 1)
    3
    """
    total, mass = np.cumsum(residual * weight), np.cumsum(weight)
    after_sum, after_mass = total[-1] - total[:-1], mass[-1] - mass[:-1]
    before, after = total[:-1] / mass[:-1], after_sum / np.maximum(after_mass, 1e-300)
    gain = np.where(after < before, (before - after) ** 2 * mass[:-1] * after_mass / mass[-1], -1.0)
    gain[: max(earliest - 1, 0)] = -1.0
    return int(np.argmax(gain)) + 1
