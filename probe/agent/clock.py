"""The agent's clock, an argument everywhere, so that tests run months in seconds."""

from __future__ import annotations

import ctypes
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall clock, monotonic clock, and waiting."""

    def now(self) -> datetime:
        """Return the UTC time of the wall clock, right or wrong."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def wait(self, seconds: float) -> None:
        """Wait that long, or shorter where someone calls `wake`."""

    def wake(self) -> None:
        """End a wait under way, or the next one."""


class SystemClock:
    """The device's clock. `wake` ends a wait from a signal handler or another thread."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def now(self) -> datetime:
        """Return the UTC time of the wall clock, right or wrong."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait that long or until `wake`."""
        if self._woken.wait(max(0.0, seconds)):
            self._woken.clear()

    def wake(self) -> None:
        """End a wait under way, or the next one."""
        self._woken.set()


class CompressedClock:
    """A clock that runs `speed` times as fast, for the replay of a log."""

    def __init__(self, speed: float) -> None:
        self._speed, self._real = speed, SystemClock()
        self._began_s, self._began = self._real.monotonic(), self._real.now()

    def now(self) -> datetime:
        """Return the start plus the compressed time since."""
        return self._began + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return compressed seconds since the start."""
        return (self._real.monotonic() - self._began_s) * self._speed

    def wait(self, seconds: float) -> None:
        """Wait that long in compressed time or until `wake`."""
        self._real.wait(seconds / self._speed)

    def wake(self) -> None:
        """End a wait under way, or the next one."""
        self._real.wake()


class _Timex(ctypes.Structure):
    # Only `modes` is read by us, and it is 0: nothing is changed. The rest is room for the kernel's answer.
    _fields_ = (("modes", ctypes.c_uint), ("_rest", ctypes.c_byte * 252))


def is_synchronised() -> bool | None:
    """Say whether the kernel's clock is disciplined (adjtimex), None where the system cannot tell."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(_Timex()))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != 5  # TIME_ERROR: the clock is not synchronised
