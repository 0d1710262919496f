"""How much to write at once: more while it goes fast, half as much where it took too long."""

from __future__ import annotations

LEAST, FIRST, MOST = 125, 2_000, 10_000
"""Records in a write. 10,000 are some 10 MB of lines; below 125 the requests cost more than what they carry."""
FAST_S = 2.0
"""InfluxDB gives up a write after 10 s, and new series make the next one slower than the last."""


class Pace:
    """The size of the next write to one server."""

    def __init__(self) -> None:
        """Begin with what a small server takes."""
        self.size = FIRST

    def took(self, seconds: float) -> None:
        """Grow after a fast write, shrink after one that was near the limit."""
        if seconds < FAST_S:
            self.size = min(MOST, self.size * 3 // 2)
        elif seconds > 2 * FAST_S:
            self.size = max(LEAST, self.size // 2)

    def failed(self) -> bool:
        """Halve after a write that took too long; return whether a smaller one is worth a try."""
        before, self.size = self.size, max(LEAST, self.size // 2)
        return self.size < before
