"""Is it real, and how large: Mann-Whitney, Hodges-Lehmann with its interval, false discovery rate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu, norm

Floats = npt.NDArray[np.float64]

LEVEL = 0.01
FALSE_DISCOVERY = 0.05
DROP = 0.20
SAMPLES = 30
DEVICES = 3
"""RATING, degradation: p < 0.01, a drop of at least 20 %, 30 samples and 3 devices on each side."""
_PAIRS = 600


class Shift(NamedTuple):
    """Fall from before to after: p of the one-sided Mann-Whitney test, Hodges-Lehmann estimate and 95 % interval."""

    p_value: float
    estimate: float
    low: float
    high: float


def _thin(values: Floats) -> Floats:
    """Return at most `_PAIRS` quantiles of the values: what is paired need not be more."""
    if len(values) <= _PAIRS:
        return values
    return np.asarray(np.quantile(values, (np.arange(_PAIRS) + 0.5) / _PAIRS))


def shift(before: Floats, after: Floats) -> Shift:
    """Compare two samples; the estimate is negative where values fell.

    The interval inverts the Mann-Whitney test over the ordered pairwise differences (Hollander, Wolfe and Chicken
    2014, 4.3).

    Examples
    --------
    >>> found = shift(np.linspace(0, 1, 100), np.linspace(0, 1, 100) - 0.5)
    >>> round(found.estimate, 2), found.p_value < 1e-9, found.low < -0.5 < found.high
    (-0.5, True, True)
    """
    p = float(mannwhitneyu(after, before, alternative="less").pvalue)
    a, b = _thin(before), _thin(after)
    gaps = np.sort((b[:, None] - a[None]).ravel())
    n, m = len(before), len(after)
    # The rank of the end among all n·m differences, as a share, so that thinning does not change it.
    share = 0.5 - norm.ppf(0.975) * np.sqrt((n + m + 1) / (12 * n * m))
    low, high = np.quantile(gaps, [max(share, 0.0), min(1 - share, 1.0)])
    return Shift(p, float(np.median(gaps)), float(low), float(high))


def discoveries(p_values: Floats, tests_count: int, rate: float = FALSE_DISCOVERY) -> Floats:
    """Return the q-values of Benjamini and Hochberg (1995) among `tests_count` tests; those not given count as 1.

    Examples
    --------
    >>> discoveries(np.array([0.001, 0.04]), 10).round(3).tolist()
    [0.01, 0.2]
    """
    if not len(p_values):
        return np.zeros(0)
    order = np.argsort(p_values)
    ranked = p_values[order] * tests_count / np.arange(1, len(p_values) + 1)
    q = np.empty(len(p_values))
    q[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return q
