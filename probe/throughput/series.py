"""Cumulative byte counts over time, one series a stream, and the rate by the RMBT rule. Pure.

R = Σ b_k(t*) / t*, where t* is the earliest last timestamp over the streams and b_k is interpolated at t*
(RMBT specification 1.1.0, RTR). Times are seconds on the clock of the end that receives.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise


class Series:
    """The bytes of one stream, as they arrived: times do not fall, counts do not fall."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.counts: list[int] = []

    def add(self, time_s: float, count: int) -> None:
        """Append a point; one that would run back is dropped."""
        if self.times and (time_s <= self.times[-1] or count < self.counts[-1]):
            return
        self.times.append(time_s)
        self.counts.append(count)

    def at(self, time_s: float) -> float:
        """Return the interpolated count at a time: 0 before the first point, the last count after the last.

        Examples
        --------
        >>> series = Series(); series.add(1.0, 0); series.add(3.0, 100); series.at(2.0)
        50.0
        """
        if not self.times or time_s < self.times[0]:
            return 0.0
        if time_s >= self.times[-1]:
            return float(self.counts[-1])
        right = bisect_left(self.times, time_s)
        if self.times[right] == time_s:
            return float(self.counts[right])
        t0, t1 = self.times[right - 1], self.times[right]
        c0, c1 = self.counts[right - 1], self.counts[right]
        return c0 + (c1 - c0) * (time_s - t0) / (t1 - t0)


def common_end(streams: list[Series]) -> float | None:
    """Return t*, None where a stream has no point yet."""
    if not streams or any(not series.times for series in streams):
        return None
    return min(series.times[-1] for series in streams)


def total_at(streams: list[Series], time_s: float) -> float:
    """Return the bytes of all streams at a time."""
    return sum(series.at(time_s) for series in streams)


def rate_bps(streams: list[Series], start_s: float, end_s: float) -> float | None:
    """Return the rate between two times, None where they do not span any.

    Examples
    --------
    >>> series = Series(); series.add(0.0, 0); series.add(2.0, 1000); rate_bps([series], 0.0, 2.0)
    4000.0
    """
    if end_s <= start_s:
        return None
    return (total_at(streams, end_s) - total_at(streams, start_s)) * 8 / (end_s - start_s)


def slices(streams: list[Series], start_s: float, end_s: float, slice_s: float) -> list[float]:
    """Return the bytes of each whole slice between two times.

    Examples
    --------
    >>> series = Series(); series.add(0.0, 0); series.add(1.0, 100); slices([series], 0.0, 1.0, 0.5)
    [50.0, 50.0]
    """
    count = int((end_s - start_s) / slice_s + 1e-9)
    edges = [total_at(streams, start_s + index * slice_s) for index in range(count + 1)]
    return [after - before for before, after in pairwise(edges)]
