"""Coordinates that somebody has set: for a probe that never moves."""

from __future__ import annotations

from measurement.errors import ConfigError
from measurement.record import Position
from measurement.vocabulary import PositionSource as Source
from probe.settings import Position as Settings


class FixedPosition:
    """Always the same place."""

    def __init__(self, position: Position) -> None:
        self._position = position

    def fix(self) -> Position:
        """Return the place."""
        return self._position

    def close(self) -> None:
        """Do nothing: there is no device."""


def open_fixed(settings: Settings) -> FixedPosition:
    """Return the place of the settings; raises ConfigError where a coordinate is missing."""
    if settings.longitude_deg is None or settings.latitude_deg is None:
        raise ConfigError("position.longitude_deg: Invalid null. A fixed position needs longitude and latitude.")
    return FixedPosition(
        Position(
            longitude_deg=settings.longitude_deg,
            latitude_deg=settings.latitude_deg,
            age_s=0.0,
            speed_mps=0.0,
            source=Source.FIXED,
            environment=settings.environment,
        )
    )
