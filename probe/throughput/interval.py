"""The 95 % interval of a steady rate from its slices, honest about autocorrelation. Pure.

Slices are grouped into batches (batch means, Law & Kelton 9.5.3), the variance of the batch means is widened by their
own remaining correlation, and Student's t takes the few batches into account.
"""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from typing import NamedTuple

BATCHES = 12
FLOOR = 0.004
"""Half-width below which no interval goes, as a part of the rate: what timing and framing leave open."""
CYCLE = 0.15
"""Part of the rate left open for each round trip over the time measured: a sender's own cycle (eight round trips of
BBR) is not seen whole in a short test over a long line."""

# 97.5 % quantiles of Student's t by degrees of freedom; beyond the table the normal's, corrected.
_T: tuple[float, ...] = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
)
_T += (2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


class Interval(NamedTuple):
    """Mean, and the interval around it, in the unit of the samples."""

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the width."""
        return (self.high - self.low) / 2

    @property
    def relative(self) -> float:
        """Half the width as a part of the mean; infinite where the mean is 0."""
        return self.half / self.mean if self.mean > 0 else math.inf


def student(freedom: float) -> float:
    """Return the 97.5 % quantile of Student's t.

    Examples
    --------
    >>> student(9)
    2.262
    """
    if freedom < 1:
        return _T[0]
    if freedom <= len(_T):
        return _T[int(freedom) - 1]
    return 1.96 + 2.4 / freedom


def batch_means(samples: list[float], batches: int) -> list[float]:
    """Return the means of `batches` equal groups; samples that do not fill them are left out at the start.

    Examples
    --------
    >>> batch_means([9.0, 1.0, 3.0, 5.0, 7.0], 2)
    [2.0, 6.0]
    """
    size = len(samples) // batches
    first = len(samples) - size * batches
    return [sum(samples[first + b * size : first + (b + 1) * size]) / size for b in range(batches)]


def correlation(samples: list[float]) -> float:
    """Return the lag-1 autocorrelation, corrected for its bias in short series (Marriott & Pope 1954)."""
    count = len(samples)
    mean = sum(samples) / count
    squares = sum((x - mean) ** 2 for x in samples)
    if squares <= 0:
        return 0.0
    products = sum((a - mean) * (b - mean) for a, b in pairwise(samples))
    raw = products / squares
    return (raw * count + 1) / (count - 4) if count > 4 else raw


def steady(samples: list[float], openness: float = FLOOR) -> Interval | None:
    """Return the 95 % interval of the steady rate behind a series, None where there are too few samples.

    `openness` is what stays open whatever the samples say, as a part of the rate. Where the mean lies below the median,
    pauses of the sender pulled it down: the line's own rate may be as high as the median, and the interval says so.

    Examples
    --------
    >>> steady([10.0] * 24).mean
    10.0
    """
    batches = min(BATCHES, len(samples) // 2)
    if batches < 4:
        return None
    means = batch_means(samples, batches)
    mean = sum(samples) / len(samples)
    centre = sum(means) / batches
    variance = sum((x - centre) ** 2 for x in means) / (batches - 1)
    rho = min(0.9, max(0.0, correlation(means)))
    widening = (1 + rho) / (1 - rho)
    freedom = max(1.0, batches / widening - 1)
    half = math.hypot(student(freedom) * math.sqrt(variance / batches * widening), openness * mean)
    return Interval(mean, max(0.0, mean - half), max(mean + half, statistics.median(samples) * (1 + openness)))


def openness(rtt_s: float, span_s: float) -> float:
    """Return what stays open after measuring `span_s` over a line with this round trip.

    Examples
    --------
    >>> round(openness(0.1, 1.5), 4)
    0.0108
    """
    return math.hypot(FLOOR, CYCLE * rtt_s / span_s) if span_s > 0 else math.inf
