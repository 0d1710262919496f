"""Scores 0-100 of figures, 50 on target: one function a form, the targets from the country's table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.thresholds import Form, Target, Thresholds
from measurement.kpi import BY_ID, Better

Floats = npt.NDArray[np.float64]


def speed(value: Any, target: float) -> Floats:
    """Return 50 + 50 log10(value / target), held to 0-100.

    Examples
    --------
    >>> [float(x) for x in speed([40e6, 400e6, 4e6, 0.0], 40e6)]
    [50.0, 100.0, 0.0, 0.0]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(50 + 50 * np.log10(np.asarray(value, float) / target), 0, 100))


def delay(value: Any, target: float) -> Floats:
    """Return 50 + 50 ln(target / value) / ln 5, held to 0-100.

    Examples
    --------
    >>> [round(float(x), 6) for x in delay([50.0, 10.0, 250.0], 50.0)]
    [50.0, 100.0, 0.0]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(50 + 50 * np.log(target / np.asarray(value, float)) / np.log(5), 0, 100))


def loss(value: Any, target: float) -> Floats:
    """Return 50 + 50 log10(target / value), held to 0-100.

    Examples
    --------
    >>> [float(x) for x in loss([0.01, 0.001, 0.1, 0.0], 0.01)]
    [50.0, 100.0, 0.0, 100.0]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(50 + 50 * np.log10(target / np.asarray(value, float)), 0, 100))


def along(value: Any, points: list[tuple[float, float]]) -> Floats:
    """Return the score on the line through points (value, score); beyond the ends it stays.

    Examples
    --------
    >>> [float(x) for x in along([0.8, 0.875, 0.95, 1.0], [(0.8, 0), (0.95, 50), (1.0, 100)])]
    [0.0, 25.0, 50.0, 100.0]
    """
    x = np.asarray(value, float)
    found = np.interp(x, [p[0] for p in points], [p[1] for p in points])
    return np.asarray(np.where(np.isnan(x), np.nan, found))


def score(value: Any, target: Target, statistic: str, thresholds: Thresholds) -> Floats:
    """Return the score of a statistic of a KPI."""
    x = np.asarray(value, float)
    if target.form is Form.SPEED:
        return speed(x, target.values[statistic])
    if target.form is Form.DELAY:
        return delay(x, target.values[statistic])
    if target.form is Form.LOSS:
        return loss(x, target.values[statistic])
    row = BY_ID.get(target.kpi)
    if target.form is Form.SHARE and row is not None and row.better is Better.LOWER:
        x = 1 - x
    return along(x, thresholds.points(target.kpi))


def grade_of(value: Any, is_failed: Any, thresholds: Thresholds) -> npt.NDArray[Any]:
    """Return the grade of each score; a failed limit caps at D; NaN has none."""
    ladder = sorted(thresholds.grade, key=lambda entry: entry.score)
    letters = np.array([entry.grade for entry in ladder], dtype=object)
    x = np.asarray(value, float)
    step = np.clip(np.searchsorted([entry.score for entry in ladder], np.nan_to_num(x), side="right") - 1, 0, None)
    cap = [entry.grade for entry in ladder].index("D")
    step = np.where(np.asarray(is_failed, bool), np.minimum(step, cap), step)
    return np.asarray(np.where(np.isnan(x), None, letters[step]))
