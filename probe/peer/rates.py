"""What each address has just carried, as the peer counted it; tickets state it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

REMEMBERED_S = 600.0
"""Older streams are told to nobody."""
REMEMBERED = 10_000
"""Addresses."""
STREAMS = 16
"""Of an address and direction."""


class Stream(NamedTuple):
    """One transfer on the peer's monotonic clock."""

    start_s: float
    end_s: float
    bytes_count: int


def together_bps(streams: Iterable[Stream]) -> float:
    """Return the rate of the streams that ran together with the last one; earlier tests are not added to it.

    Examples
    --------
    >>> together_bps([Stream(0, 10, 999), Stream(20, 30, 500), Stream(21, 30, 750)])
    1000.0
    """
    last = max(streams, key=lambda stream: stream.end_s)
    beside = [stream for stream in streams if stream.end_s > last.start_s]
    span_s = last.end_s - min(stream.start_s for stream in beside)
    return sum(stream.bytes_count for stream in beside) * 8 / span_s


class Rates:
    """The last streams counted per address; bounded and thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streams: OrderedDict[str, dict[str, deque[Stream]]] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, address: str, direction: str, count: int, seconds: float) -> None:
        """Remember a stream that has just ended."""
        now = self._clock()
        with self._lock:
            ways = self._streams.pop(address, {})
            ways.setdefault(direction, deque(maxlen=STREAMS)).append(Stream(now - seconds, now, count))
            self._streams[address] = ways
            while len(self._streams) > REMEMBERED:
                self._streams.popitem(last=False)

    def take(self, address: str) -> dict[str, float] | None:
        """Return the rates of an address and forget its streams, None where they are absent or old."""
        with self._lock:
            ways = self._streams.pop(address, {})
        since = self._clock() - REMEMBERED_S
        fresh = {way: streams for way, streams in ways.items() if streams[-1].end_s >= since}
        return {way: together_bps(streams) for way, streams in fresh.items()} or None
