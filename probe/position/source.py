"""The protocol of every position source."""

from __future__ import annotations

from typing import Protocol

from measurement.record import Position


class PositionSource(Protocol):
    """Something that knows where the probe is."""

    def fix(self) -> Position | None:
        """Return the last position with its age, None where there has been none; never block over a second."""

    def close(self) -> None:
        """Give the device back."""
