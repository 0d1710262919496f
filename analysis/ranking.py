"""Ranks with ties: two places differ only where their scores differ beyond chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def discoveries(p_values: Any, rate: float = 0.05) -> npt.NDArray[np.bool_]:
    """Return which hypotheses are rejected at a false discovery rate (Benjamini and Hochberg 1995).

    Parameters
    ----------
    p_values
        One for each hypothesis.
    rate
        False discovery rate.

    Examples
    --------
    >>> discoveries([0.001, 0.02, 0.04, 0.9]).tolist()
    [True, True, False, False]
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    passed = p[order] <= rate * np.arange(1, len(p) + 1) / max(len(p), 1)
    count = int(np.flatnonzero(passed)[-1]) + 1 if passed.any() else 0
    result = np.zeros(len(p), bool)
    result[order[:count]] = True
    return result


def differing(value: Any, error: Any, freedom: Any, rate: float = 0.05) -> tuple[Ints, Ints]:
    """Return the pairs whose difference is beyond chance: the better and the worse of each.

    Every pair is compared by Student's t on the difference, all pairs under one false discovery rate.

    Parameters
    ----------
    value, error, freedom
        Scores (higher is better), their standard errors, and their degrees of freedom.
    rate
        False discovery rate over all pairs.
    """
    x, se, df = (np.asarray(a, float) for a in (value, error, freedom))
    i, j = np.triu_indices(len(x), 1)
    spread = np.sqrt(se[i] ** 2 + se[j] ** 2)
    t = np.divide(x[i] - x[j], spread, out=np.zeros(len(i)), where=spread > 0)
    t = np.where((spread == 0) & (x[i] != x[j]), np.sign(x[i] - x[j]) * np.inf, t)
    # Below 1.96 no degrees of freedom make a p under 0.05, and a greater one is never rejected.
    far = np.abs(t) > special.ndtri(1 - rate / 2)
    p = np.ones(len(t))
    p[far] = 2 * special.stdtr(np.maximum(np.minimum(df[i[far]], df[j[far]]), 1), -np.abs(t[far]))
    differs = discoveries(p, rate)
    return np.where(t > 0, i, j)[differs], np.where(t > 0, j, i)[differs]


def ranks(value: Any, error: Any, freedom: Any, rate: float = 0.05) -> tuple[Ints, Ints]:
    """Return the best and the worst rank each value may hold; equal ranges are ties.

    Parameters
    ----------
    value, error, freedom
        As `differing` takes them.
    rate
        False discovery rate over all pairs.

    Examples
    --------
    >>> low, high = ranks([80.0, 50.0, 49.0], [1.0, 1.0, 1.0], [30.0, 30.0, 30.0])
    >>> low.tolist(), high.tolist()
    ([1, 2, 2], [1, 3, 3])
    """
    count = len(np.asarray(value))
    upper, lower = differing(value, error, freedom, rate)
    better, worse = np.bincount(lower, minlength=count), np.bincount(upper, minlength=count)
    return 1 + better, count - worse
