"""The quiet rule: do not test while somebody uses the line. Reads the kernel's interface counters."""

from __future__ import annotations

from pathlib import Path

_DEVICES = Path("/proc/net/dev")
_ROUTES = Path("/proc/net/route")
OBSERVED_S = 2.0  # long enough to see a video stream between its bursts starting, short enough not to wait


def default_interface(routes: Path = _ROUTES) -> str | None:
    """Return the interface of the IPv4 default route with the lowest metric, None where there is none."""
    try:
        rows = [line.split() for line in routes.read_text().splitlines()[1:]]
    except OSError:
        return None
    found = [(int(row[6]), row[0]) for row in rows if len(row) > 7 and row[1] == "00000000" and row[7] == "00000000"]
    return min(found)[1] if found else None


def interface_bytes(interface: str, devices: Path = _DEVICES) -> int | None:
    """Return bytes received and sent since the interface came up, None where there is no such interface."""
    try:
        lines = devices.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, counters = line.partition(":")
        if name.strip() == interface:
            fields = counters.split()
            return int(fields[0]) + int(fields[8])
    return None


def traffic_bps(before: int | None, after: int | None, seconds: float) -> float:
    """Return the rate between two readings, 0 where either is missing or the counter was reset."""
    if before is None or after is None or after < before or seconds <= 0:
        return 0.0
    return (after - before) * 8 / seconds
