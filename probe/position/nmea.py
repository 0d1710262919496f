"""NMEA 0183 from a serial port: GGA, RMC, GST. Sentences with a wrong checksum are passed over."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from measurement.errors import InstrumentError
from measurement.record import Position
from measurement.vocabulary import PositionSource as Source

STALE_S = 120.0
KNOT_MPS = 1852 / 3600
RANGE_ERROR_M = 5.0  # user range error of a plain L1 receiver: HDOP times this stands in where there is no GST
_MAX_SENTENCE = 256


def checked(line: bytes) -> list[str] | None:
    """Return the fields of a sentence with a right checksum, None else."""
    text = line.strip()
    if not text.startswith(b"$") or len(text) > _MAX_SENTENCE or text[-3:-2] != b"*":
        return None
    body = text[1:-3]
    total = 0
    for byte in body:
        total ^= byte
    try:
        return body.decode("ascii").split(",") if total == int(text[-2:], 16) else None
    except (ValueError, UnicodeDecodeError):
        return None


def degrees(value: str, hemisphere: str) -> float | None:
    """Return degrees of `ddmm.mmmm` and a letter, None where either is none.

    >>> degrees('4807.038', 'N')
    48.1173
    """
    point = value.find(".")
    digits = value if point < 0 else value[:point]
    sign = {"N": 1, "E": 1, "S": -1, "W": -1}.get(hemisphere)
    if sign is None or len(digits) < 3 or not value.replace(".", "", 1).isdecimal():
        return None
    minutes = float(value[len(digits) - 2 :])
    whole = float(digits[:-2] or 0) + minutes / 60
    limit = 90 if hemisphere in "NS" else 180
    return round(sign * whole, 9) if minutes < 60 and whole <= limit else None


class Nmea:
    """The state that sentences add up to."""

    def __init__(self) -> None:
        self.fix: Position | None = None
        self._speed_mps: float | None = None
        self._accuracy_m: float | None = None

    def take(self, line: bytes) -> bool:
        """Take one sentence; True where it brought a position."""
        fields = checked(line)
        if fields is None or len(fields[0]) != 5:
            return False
        reader = {"GGA": self._gga, "RMC": self._rmc, "GST": self._gst}.get(fields[0][2:])
        return reader(fields) if reader is not None else False

    def _gga(self, f: Sequence[str]) -> bool:
        if len(f) < 12 or f[6] in ("", "0"):
            return False
        latitude, longitude = degrees(f[2], f[3]), degrees(f[4], f[5])
        if latitude is None or longitude is None:
            return False
        dilution = _number(f[8])
        accuracy = self._accuracy_m
        if accuracy is None and dilution is not None and 0 < dilution < 50:
            accuracy = dilution * RANGE_ERROR_M
        count = _number(f[7])
        altitude = _number(f[9])
        self.fix = Position(
            longitude_deg=longitude,
            latitude_deg=latitude,
            accuracy_m=accuracy,
            speed_mps=self._speed_mps,
            altitude_m=altitude if altitude is not None and -1000 <= altitude <= 100_000 else None,
            satellites_count=int(count) if count is not None and 0 <= count <= 256 else None,
            source=Source.GNSS,
        )
        return True

    def _rmc(self, f: Sequence[str]) -> bool:
        if len(f) < 10 or f[2] != "A":
            return False
        latitude, longitude = degrees(f[3], f[4]), degrees(f[5], f[6])
        knots = _number(f[7])
        self._speed_mps = knots * KNOT_MPS if knots is not None and 0 <= knots * KNOT_MPS <= 1000 else None
        if latitude is None or longitude is None:
            return False
        if self.fix is None:
            self.fix = Position(longitude_deg=longitude, latitude_deg=latitude, source=Source.GNSS)
        self.fix = msgspec.structs.replace(
            self.fix, longitude_deg=longitude, latitude_deg=latitude, speed_mps=self._speed_mps
        )
        return True

    def _gst(self, f: Sequence[str]) -> bool:
        errors = [_number(f[6]), _number(f[7])] if len(f) > 8 else []
        known = [error for error in errors if error is not None and 0 <= error < 1e5]
        self._accuracy_m = math.hypot(*known) if len(known) == 2 else None
        return False


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class NmeaPosition:
    """A receiver on a serial port. It may come later, go and come back."""

    def __init__(self, device: str, baud: int = 9600, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._device, self._baud, self._monotonic = device, baud, monotonic
        self._serial: Any = None
        self._rest, self._state, self._fixed_at_s = b"", Nmea(), 0.0

    def fix(self) -> Position | None:
        """Return the last position with its age, None where there was none within two minutes."""
        self._drain()
        fix = self._state.fix
        age_s = self._monotonic() - self._fixed_at_s
        return None if fix is None or age_s > STALE_S else msgspec.structs.replace(fix, age_s=age_s)

    def _drain(self) -> None:
        import serial

        try:
            if self._serial is None:
                self._serial = serial.Serial(self._device, self._baud, timeout=0)
            while data := self._serial.read(65_536):
                *whole, self._rest = (self._rest + data).split(b"\n")
                self._rest = self._rest[-_MAX_SENTENCE:]
                for line in whole:
                    if self._state.take(line):
                        self._fixed_at_s = self._monotonic()
        except (serial.SerialException, OSError) as error:
            self.close()
            raise InstrumentError(f"serial port {self._device}: {getattr(error, 'strerror', None) or error}") from None

    def close(self) -> None:
        """Give the port back."""
        if self._serial is not None:
            self._serial.close()
            self._serial = None
