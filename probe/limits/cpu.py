"""How busy the processor is: this process, and the whole machine where the system tells (Linux /proc/stat)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

_STAT = Path("/proc/stat")
_IDLE = (3, 4)  # idle and iowait


class CpuUse(NamedTuple):
    """Shares of one processor; `process` may exceed 1. `machine` is the mean of all, `busiest` the highest of them."""

    process: float
    machine: float | None = None
    busiest: float | None = None


class CpuMeter:
    """Measures from its making, or from the last `lap`."""

    def __init__(self, stat: Path = _STAT) -> None:
        self._stat = stat
        self._mark()

    def lap(self) -> CpuUse:
        """Return the use since the last mark, and mark again."""
        wall, process, before = self._wall, self._process, self._ticks
        self._mark()
        elapsed = max(1e-6, self._wall - wall)
        shares = [share(a, b) for a, b in zip(before, self._ticks, strict=False)]
        used = (self._process - process) / elapsed
        return CpuUse(used, shares[0], max(shares[1:])) if len(shares) > 1 else CpuUse(used)

    def _mark(self) -> None:
        self._wall, self._process = time.monotonic(), sum(os.times()[:2])
        self._ticks = read_ticks(self._stat)


def read_ticks(stat: Path = _STAT) -> list[tuple[int, int]]:
    """Return (idle, all) ticks: first of the machine, then of each processor. Empty where the system does not tell."""
    try:
        lines = stat.read_text().splitlines()
    except OSError:
        return []
    rows = [[int(field) for field in line.split()[1:9]] for line in lines if line.startswith("cpu")]
    return [(sum(row[i] for i in _IDLE), sum(row)) for row in rows]


def share(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Return the busy share between two readings.

    Examples
    --------
    >>> share((0, 0), (25, 100))
    0.75
    """
    total = after[1] - before[1]
    return min(1.0, max(0.0, 1 - (after[0] - before[0]) / total)) if total > 0 else 0.0
