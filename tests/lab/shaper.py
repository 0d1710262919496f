"""The token buckets by which the lab shapes a line, in the words of `tc`."""

from __future__ import annotations

from typing import NamedTuple

LEAST_BURST = 3_200
"""Two full frames: a smaller bucket would pass none."""


class Shaper(NamedTuple):
    """A token bucket of the kernel's, with a queue before it."""

    kind: str
    burst_ms: float
    buffer_ms: float

    def words(self, device: str, rate_bps: float) -> list[list[str]]:
        """Return what `tc` is to be told."""
        rate, burst = f"{round(rate_bps)}bit", str(max(LEAST_BURST, round(rate_bps * self.burst_ms / 8000)))
        limit = str(max(30 * 1514, round(rate_bps * self.buffer_ms / 8000)))
        root = ["qdisc", "add", "dev", device, "root"]
        if self.kind == "tbf":
            return [[*root, "tbf", "rate", rate, "burst", burst, "limit", limit]]
        inner = ["htb", "rate", rate, "burst", burst, "cburst", burst, "quantum", "60000"]
        return [
            [*root, "handle", "1:", "htb", "default", "1"],
            ["class", "add", "dev", device, "parent", "1:", "classid", "1:1", *inner],
            ["qdisc", "add", "dev", device, "parent", "1:1", "bfifo", "limit", limit],
        ]
