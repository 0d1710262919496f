"""How much wider than the variogram says intervals must be to hold, by the distance to the nearest sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

Floats = npt.NDArray[np.float64]

SHARE, SHARE_MOST = 0.95, 0.975
SHARE_OTHER_SITE = 0.92
"""What a site that was never measured does is told by no distance: its places are held to less (evidence D)."""
NORMAL_95 = 1.959964
FEWEST = 20
"""Fewer errors than this do not tell a 95th percentile."""
NARROWEST, WIDEST = 0.5, 3.0


class Widening(NamedTuple):
    """Factors of sigma at some distances in metres; between them the factor is linear, beyond them constant."""

    distance_m: tuple[float, ...] = (0.0,)
    factor: tuple[float, ...] = (1.0,)

    def at(self, distance_m: Floats) -> Floats:
        """Return the factor at distances to the nearest sample.

        Examples
        --------
        >>> Widening((50.0, 250.0), (1.0, 2.0)).at(np.array([0.0, 150.0, 900.0])).tolist()
        [1.0, 1.5, 2.0]
        """
        return np.interp(distance_m, self.distance_m, self.factor)


class Misses(NamedTuple):
    """Validated blocks as columns: distance to the nearest block used, and error over sigma."""

    distance_m: Floats
    ratio: Floats


def _factor(misses: Misses, share: float) -> float:
    """Return the factor by which a share of the errors lies within 1.96 sigma, with split conformal's correction."""
    count = len(misses.ratio)
    level = min(np.ceil((count + 1) * share) / count, 1.0)
    return float(np.quantile(np.abs(misses.ratio), level, method="higher")) / NORMAL_95


def widening(schemes: Sequence[Misses], other_site: Misses | None = None) -> Widening:
    """Return the factors by which 95 % of the errors of each scheme lie within 1.96 sigma (split conformal).

    Parameters
    ----------
    schemes
        Errors with more and more held out.
    other_site
        Errors where the site that serves a place was never measured. Intervals are widened until they hold for
        `SHARE_OTHER_SITE` of them, or for `SHARE_MOST` of the scheme's own.

    Examples
    --------
    >>> errors = np.linspace(-4, 4, 401)
    >>> found = widening([Misses(np.full(401, 60.0), errors / 2), Misses(np.full(401, 220.0), errors)])
    >>> found.distance_m, np.round(found.factor, 2).tolist()
    ((60.0, 220.0), [0.97, 1.95])
    """
    told = [one for one in schemes if len(one.ratio) >= FEWEST]
    if not told:
        return Widening()
    least = 0.0
    if other_site is not None and len(other_site.ratio) >= FEWEST:
        least = _factor(other_site, SHARE_OTHER_SITE)
    known = sorted(
        (float(np.median(one.distance_m)), max(_factor(one, SHARE), min(least, _factor(one, SHARE_MOST))))
        for one in told
    )
    distance, factor = zip(*known, strict=True)
    rising = isotonic_regression(np.clip(factor, NARROWEST, WIDEST)).x  # nothing is surer for being farther off
    return Widening(distance, tuple(float(value) for value in rising))
