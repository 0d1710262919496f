"""How busy the processor is: this process, and the whole machine where the system tells (Linux /proc/stat)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

_STAT = Path("/proc/stat")
_IDLE = (3, 4)  # idle and iowait
_STOLEN = 7


class CpuUse(NamedTuple):
    """Shares of one processor; `process` may exceed 1. `machine` is the mean of all, `busiest` the highest of them.

    `stolen` is the part of a virtual machine's processors that its host gave to others.
    """

    process: float
    machine: float | None = None
    busiest: float | None = None
    stolen: float | None = None


class Ticks(NamedTuple):
    """What Linux counted of a processor since it started."""

    idle: int
    stolen: int
    total: int


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
        shares = [busy(a, b) for a, b in zip(before, self._ticks, strict=False)]
        used = (self._process - process) / elapsed
        if len(shares) < 2:
            return CpuUse(used)
        return CpuUse(used, shares[0], max(shares[1:]), stolen(before[0], self._ticks[0]))

    def _mark(self) -> None:
        self._wall, self._process = time.monotonic(), sum(os.times()[:2])
        self._ticks = read_ticks(self._stat)


def read_ticks(stat: Path = _STAT) -> list[Ticks]:
    """Return the ticks first of the machine, then of each processor. Empty where the system does not tell."""
    try:
        lines = stat.read_text().splitlines()
    except OSError:
        return []
    rows = [[int(field) for field in line.split()[1:9]] for line in lines if line.startswith("cpu")]
    return [Ticks(sum(row[i] for i in _IDLE), row[_STOLEN], sum(row)) for row in rows]


def busy(before: Ticks, after: Ticks) -> float:
    """Return the busy share between two readings; what was stolen was not free either.

    Examples
    --------
    >>> busy(Ticks(0, 0, 0), Ticks(25, 5, 100))
    0.75
    """
    return 1 - _part(after.idle - before.idle, after, before) if after.total > before.total else 0.0


def stolen(before: Ticks, after: Ticks) -> float:
    """Return the stolen share between two readings.

    Examples
    --------
    >>> stolen(Ticks(0, 0, 0), Ticks(25, 5, 100))
    0.05
    """
    return _part(after.stolen - before.stolen, after, before)


def _part(ticks: int, after: Ticks, before: Ticks) -> float:
    return min(1.0, max(0.0, ticks / max(1, after.total - before.total)))
