"""Gaussian fields with exponential correlation, as sums of plane waves: a value anywhere, the same each time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Fields:
    """`count` independent fields of mean 0 and variance 1 whose correlation at distance r is exp(−r / reach).

    The spectrum of that correlation in the plane falls as (1 + (k·reach)²)^(−3/2), so wave numbers are drawn by
    inverting its distribution: k·reach = √(1/(1−u)² − 1).
    """

    def __init__(self, rng: np.random.Generator, count: int, reach_m: float, waves: int = 16) -> None:
        wave_number = np.sqrt(1 / (1 - rng.uniform(0, 0.98, (waves, count))) ** 2 - 1) / reach_m
        heading = rng.uniform(0, 2 * np.pi, (waves, count))
        self.east = (wave_number * np.cos(heading)).astype(np.float32)
        self.north = (wave_number * np.sin(heading)).astype(np.float32)
        self.phase = rng.uniform(0, 2 * np.pi, (waves, count)).astype(np.float32)

    def at(self, field: Integers, x: Reals, y: Reals) -> npt.NDArray[np.float32]:
        """Return the values of the numbered fields at points in metres; all three of one shape."""
        x, y = x.astype(np.float32), y.astype(np.float32)
        total = np.zeros(x.shape, dtype=np.float32)
        for east, north, phase in zip(self.east, self.north, self.phase, strict=True):
            total += np.cos(east[field] * x + north[field] * y + phase[field])
        total *= np.float32(np.sqrt(2 / len(self.phase)))
        return total
