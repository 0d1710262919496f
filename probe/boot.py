"""Identify the boot and count from it: what dates a record when the wall clock is wrong."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_ID = uuid.uuid4().hex  # where the system tells no boot, the process stands for it


def boot_id() -> str:
    """Return an id that stays the same until the device starts again."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return _PROCESS_ID


def boot_clock_ms() -> float:
    """Return milliseconds since the boot, sleep included; never set back."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock) * 1000
