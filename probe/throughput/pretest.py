"""When is a line warm, and how many streams does it want? Pure.

The pre-test is the ramp of the very streams that then measure, without a pause between: a pause would let a shaper's
bucket fill, and the burst that follows would count as rate.
"""

from __future__ import annotations

import math

from probe.throughput.series import Series, common_end, rate_bps

STREAMS = ((1e6, 1), (100e6, 3), (400e6, 5), (float("inf"), 8))
"""Rate below which so many streams are used."""
SHARE_BYTES = 1e6
"""Most that one stream should have under way: a sender keeps it until it is acknowledged, twice over around a loss, and
Linux allows a stream 4 MB for that. Long fast lines take more streams."""
MOST_STREAMS = 16
LEAST_WINDOW_S = 0.15
MOST_GROWTH, MOST_DROP = 1.05, 0.85
"""The rate of a window over that of the window before: between these the line is warm."""


def stream_count(rate: float, rtt_s: float = 0.0) -> int:
    """Return how many streams a rate wants at a round trip.

    Examples
    --------
    >>> [stream_count(rate) for rate in (5e5, 5e7, 2e8, 1e9)]
    [1, 3, 5, 8]
    >>> stream_count(1e9, 0.1)
    13
    """
    by_rate = next(count for below, count in STREAMS if rate < below)
    return min(MOST_STREAMS, max(by_rate, math.ceil(rate * rtt_s / 8 / SHARE_BYTES)))


def window_s(rtt_s: float) -> float:
    """Return the length of the two windows that are compared: several round trips, since a ramp doubles in one."""
    return max(LEAST_WINDOW_S, 2.5 * rtt_s)


def is_warm(streams: list[Series], since_s: float, rtt_s: float) -> bool:
    """Has the rate stopped growing? `since_s` is when the last stream began."""
    end, window = common_end(streams), window_s(rtt_s)
    if end is None or end - since_s < 2 * window:
        return False
    before = rate_bps(streams, end - 2 * window, end - window)
    now = rate_bps(streams, end - window, end)
    if not before or not now:
        return False
    return MOST_DROP <= now / before <= MOST_GROWTH
