"""Intervals that assume little: order statistics for percentiles, Wilson for shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

MINIMUM_COUNT = 6
"""Below six samples not even the extremes hold the median with 95 %: 2 * 0.5**5 > 0.05."""

MINIMUM_COUNT_TAIL = 50
"""Below fifty samples no tenth percentile is given."""


NORMAL = float(special.ndtri(0.975))
"""Standard normal quantile of a 95 % interval: 1.96."""


def order_ranks(count: Any, probability: float, level: float = 0.95) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the ranks (1-based) whose order statistics hold a quantile with at least the level.

    The number of samples below the quantile is Binomial(count, probability); the ranks leave at most half of
    1 - level on either side (David and Nagaraja, Order Statistics, 7.1). Rank 0 or count + 1 means unbounded.

    Parameters
    ----------
    count
        Number of independent samples, any shape.
    probability
        Of the quantile, between 0 and 1.
    level
        Least coverage.

    Examples
    --------
    >>> [int(rank) for rank in order_ranks(6, 0.5)]
    [1, 6]
    >>> [int(rank) for rank in order_ranks(100, 0.5)]
    [40, 61]
    """
    n = np.asarray(count)
    tail = (1 - level) / 2
    lower = _binomial_quantile(tail, n, probability)
    lower = np.where(special.bdtr(lower, np.maximum(n, 1), probability) <= tail, lower + 1, lower)
    upper = _binomial_quantile(1 - tail, n, probability) + 1
    return np.where(n > 0, lower, 0).astype(np.int64), np.where(n > 0, upper, 1).astype(np.int64)


def _binomial_quantile(share: float, count: Any, probability: float) -> Floats:
    """Return the smallest k with P(X <= k) >= share."""
    n = np.maximum(np.asarray(count), 1)
    # The inverse is real, and may round to either side of a whole number: step down while that holds, too.
    k = np.clip(np.ceil(special.bdtrik(share, n, probability)), 0, n)
    return np.asarray(np.where((k > 0) & (special.bdtr(np.maximum(k - 1, 0), n, probability) >= share), k - 1, k))


def wilson(share: Any, count: Any, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return Wilson's interval of a proportion (Wilson 1927); count may be an effective one.

    Examples
    --------
    >>> low, high = wilson(0.5, 100)
    >>> round(float(low), 4), round(float(high), 4)
    (0.4038, 0.5962)
    """
    p, n = np.clip(np.asarray(share, float), 0, 1), np.asarray(count, float)
    z = special.ndtri((1 + level) / 2)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At 0 and 1 rounding would leave the estimate just outside.
    return np.minimum(np.clip(centre - half, 0, 1), p), np.maximum(np.clip(centre + half, 0, 1), p)


def effective_ranks(
    probability: Any, variance: Any, count: Any, worth: Any, level: float = 0.95
) -> tuple[Floats, Floats, Floats]:
    """Return the range of probabilities that holds a quantile of weighted, clustered samples.

    Order statistics for samples that are not independent (Korn and Graubard 1998, after Woodruff 1952): the variance
    of the weighted share below the quantile gives an effective number of samples, reduced for the degrees of freedom
    of the clusters; Clopper and Pearson's exact binomial limits for that number are the ranks. With `count`
    independent samples of equal weight they are the ranks of `order_ranks` divided by `count`.

    Parameters
    ----------
    probability
        Of the quantile, any shape.
    variance
        Of the weighted share of samples at or below the estimated quantile.
    count
        Upper bound of the effective number: (sum w)**2 / sum w**2.
    worth
        What the variance is worth, `shrink` of its number of clusters.
    level
        Coverage.

    Returns
    -------
    Low and high probability, and the effective number of samples (before the degrees of freedom).

    Examples
    --------
    >>> low, high, effective = effective_ranks(0.5, 0.25 / 100, 100, 1.0)
    >>> round(float(low) * 100, 1), round(float(high) * 100, 1), float(effective)
    (39.8, 60.2, 100.0)
    """
    p, v, n, s = np.broadcast_arrays(*(np.asarray(x, float) for x in (probability, variance, count, worth)))
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.minimum(np.where(v > 0, p * (1 - p) / v, np.inf), n)
        held = effective * s
        tail = (1 - level) / 2
        low = special.betaincinv(held * p, held * (1 - p) + 1, tail)
        high = special.betaincinv(held * p + 1, held * (1 - p), 1 - tail)
    return low, high, effective


def shrink(clusters: Any, level: float = 0.95) -> Floats:
    """Return (z / t)**2: what a variance estimated from few clusters is worth.

    Examples
    --------
    >>> round(float(shrink(31.0)), 3), float(shrink(float('inf')))
    (0.921, 1.0)
    """
    m = np.maximum(np.asarray(clusters, float), 1.5)
    z = special.ndtri((1 + level) / 2)
    t = np.where(np.isinf(m), z, special.stdtrit(np.where(np.isinf(m), 1e9, m - 1), (1 + level) / 2))
    return np.asarray((z / t) ** 2)
