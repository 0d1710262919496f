"""Whether a degradation is over: Page's test turned round, for a return to what was before against its going on."""

from __future__ import annotations

import numpy as np
import polars as pl

LIMIT = 7.0
"""Height from which a stream has returned: while the fall lasts, some thousand tests pass between two such errors."""
TESTS, DEVICES = 6, 3
"""Fewest since it returned."""
_HELD = 3.0


def is_back(before: pl.DataFrame, after: pl.DataFrame, fall: float) -> bool:
    """Tell whether the residuals of a stream have returned.

    Parameters
    ----------
    before, after
        Collapsed rows of the stream on both sides of the change, in order of time.
    fall
        How much the residuals fell, above 0.

    Examples
    --------
    >>> rows = lambda values: pl.DataFrame(
    ...     {'residual': values, 'deviation': [0.3] * len(values), 'probe_id': list('abcdefghijkl')[:len(values)]})
    >>> past = rows([-0.3, 0.3] * 6)
    >>> is_back(past, rows([-0.6] * 12), 0.6), is_back(past, rows([-0.6] * 3 + [0.0] * 9), 0.6)
    (False, True)
    """
    level = float(before["residual"].mean())  # type: ignore[arg-type]
    deviation = after["deviation"].to_numpy()
    # In the rows that were learnt the deviation is right; tests of today scatter more than it says.
    spread = max(1.0, float(np.std(np.clip(before["residual"] / before["deviation"], -_HELD, _HELD))))
    rest = np.clip((after["residual"].to_numpy() - level + fall / 2) / (deviation * spread), -_HELD, _HELD)
    height, began = 0.0, 0
    for number, step in enumerate(rest * fall / (deviation * spread)):
        if height <= 0:
            began = number
        # Capped, so that a fall that comes back is seen as soon as its end was.
        height = min(max(height + step, 0.0), 2 * LIMIT)
    since = after.slice(began)
    return height > LIMIT and since.height >= TESTS and since["probe_id"].n_unique() >= DEVICES
