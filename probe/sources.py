"""The tables of radio and position sources: name → how to open it."""

from __future__ import annotations

from collections.abc import Callable

from measurement.errors import ConfigError
from probe.position.fixed import open_fixed
from probe.position.source import PositionSource
from probe.radio.source import RadioSource
from probe.settings import Position, Radio

RADIO: dict[str, Callable[[Radio], RadioSource | None]] = {
    "none": lambda settings: None,
}
POSITION: dict[str, Callable[[Position], PositionSource | None]] = {
    "none": lambda settings: None,
    "fixed": open_fixed,
}


def open_radio(settings: Radio) -> RadioSource | None:
    """Open the radio source that the settings name; raises ConfigError where there is none of that name."""
    if settings.source not in RADIO:
        raise ConfigError(f"radio.source: Invalid source {settings.source!r}. One of {', '.join(RADIO)}.")
    return RADIO[settings.source](settings)


def open_position(settings: Position) -> PositionSource | None:
    """Open the position source that the settings name; raises ConfigError where there is none of that name."""
    if settings.source not in POSITION:
        raise ConfigError(f"position.source: Invalid source {settings.source!r}. One of {', '.join(POSITION)}.")
    return POSITION[settings.source](settings)
