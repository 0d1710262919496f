"""The tables of radio and position sources: name → how to open it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from measurement.errors import ConfigError
from probe.position.source import PositionSource
from probe.radio.source import RadioSource
from probe.settings import Position, Radio


def _loaded(module: str, name: str) -> Any:
    """Import what a source needs when it is opened, not before."""
    return getattr(importlib.import_module(module), name)


def _modemmanager(settings: Radio) -> RadioSource:
    source: RadioSource = _loaded("probe.radio.modemmanager", "ModemManagerSource")(
        settings.device or "any", gnb_id_bits=settings.gnb_id_bits
    )
    return source


def _at(settings: Radio) -> RadioSource:
    source: RadioSource = _loaded("probe.radio.at.source", "AtSource")(
        settings.device,
        baud=settings.baud,
        dialect=settings.format,
        sinr_scale=settings.sinr_scale,
        gnb_id_bits=settings.gnb_id_bits,
    )
    return source


def _command(settings: Radio) -> RadioSource:
    source: RadioSource = _loaded("probe.radio.command", "CommandSource")(settings.format or "", settings.command)
    return source


def _auto(settings: Radio) -> RadioSource:
    found = _loaded("probe.radio.auto", "candidates")(
        settings.device, baud=settings.baud, gnb_id_bits=settings.gnb_id_bits, sinr_scale=settings.sinr_scale
    )
    source: RadioSource = _loaded("probe.radio.auto", "AutoSource")(found)
    return source


@cache
def _replay(path: str, speed: float) -> Any:
    """One replay for both radio and position, so that they stay at the same moment."""
    return _loaded("probe.radio.gnettrack", "Replay")(Path(path), speed=speed)


def _replayed(settings: Radio | Position) -> Any:
    if settings.device is None:
        raise ConfigError("device: Invalid null. The source gnettrack replays a log: name its file.")
    return _replay(settings.device, settings.speed)


def _gpsd(settings: Position) -> PositionSource:
    source: PositionSource = _loaded("probe.position.gpsd", "GpsdPosition")(settings.host, settings.port)
    return source


def _nmea(settings: Position) -> PositionSource:
    if settings.device is None:
        raise ConfigError("position.device: Invalid null. NMEA needs a serial port such as /dev/ttyACM0.")
    source: PositionSource = _loaded("probe.position.nmea", "NmeaPosition")(settings.device, settings.baud)
    return source


def _fixed(settings: Position) -> PositionSource:
    source: PositionSource = _loaded("probe.position.fixed", "open_fixed")(settings)
    return source


RADIO: dict[str, Callable[[Radio], RadioSource | None]] = {
    "none": lambda settings: None,
    "auto": _auto,
    "modemmanager": _modemmanager,
    "at": _at,
    "command": _command,
    "gnettrack": _replayed,
}
POSITION: dict[str, Callable[[Position], PositionSource | None]] = {
    "none": lambda settings: None,
    "fixed": _fixed,
    "gpsd": _gpsd,
    "nmea": _nmea,
    "gnettrack": _replayed,
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
