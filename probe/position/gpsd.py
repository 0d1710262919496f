"""gpsd's JSON protocol over its socket: TPV for the fix, SKY for the satellites. Nothing blocks: what came is read."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable
from typing import Any

import msgspec

from measurement.errors import InstrumentError
from measurement.record import Position
from measurement.vocabulary import PositionSource as Source

WATCH = b'?WATCH={"enable":true,"json":true};\n'
STALE_S = 120.0  # an older fix says where the probe was, not where it is
_MAX_BYTES = 1 << 20
_TWO_DIMENSIONS = 2


class Tpv:
    """The state that gpsd's reports add up to; `fix` is None until the first position."""

    def __init__(self) -> None:
        self.fix: Position | None = None
        self.has_fix_now = False
        self._satellites: int | None = None

    def take(self, line: bytes) -> bool:
        """Take one report; True where it brought a position. Whatever is none is passed over."""
        try:
            report = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if not isinstance(report, dict):
            return False
        if report.get("class") == "SKY":
            self._sky(report)
        if report.get("class") != "TPV":
            return False
        made = self._position(report)
        self.has_fix_now = made is not None
        self.fix = made or self.fix
        return made is not None

    def _sky(self, report: dict[str, Any]) -> None:
        used = report.get("uSat")
        listed = report.get("satellites")
        if not isinstance(used, int) and isinstance(listed, list):
            used = sum(1 for one in listed if isinstance(one, dict) and one.get("used") is True)
        self._satellites = used if isinstance(used, int) and 0 <= used <= 256 else None

    def _position(self, report: dict[str, Any]) -> Position | None:
        mode = report.get("mode")
        longitude, latitude = _real(report, "lon", -180, 180), _real(report, "lat", -90, 90)
        if not isinstance(mode, int) or mode < _TWO_DIMENSIONS or longitude is None or latitude is None:
            return None
        altitude = next(
            (v for n in ("altMSL", "alt", "altHAE") if (v := _real(report, n, -1000, 100_000)) is not None), None
        )
        return Position(
            longitude_deg=longitude,
            latitude_deg=latitude,
            accuracy_m=_accuracy(report),
            speed_mps=_real(report, "speed", 0, 1000),
            altitude_m=altitude if mode > _TWO_DIMENSIONS else None,
            satellites_count=self._satellites,
            source=Source.GNSS,
        )


def _accuracy(report: dict[str, Any]) -> float | None:
    """Return the horizontal error: gpsd's own estimate, else that of both axes together."""
    error = _real(report, "eph", 0, 1e6)
    x, y = _real(report, "epx", 0, 1e6), _real(report, "epy", 0, 1e6)
    if error is None and x is not None and y is not None:
        error = math.hypot(x, y)
    return error


def _real(report: dict[str, Any], name: str, low: float, high: float) -> float | None:
    value = report.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if low <= value <= high else None


class GpsdPosition:
    """Follows gpsd. It may start later, stop and come back."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 2947, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._address, self._monotonic = (host, port), monotonic
        self._socket: socket.socket | None = None
        self._rest, self._state = b"", Tpv()
        self._fixed_at_s = 0.0

    def fix(self) -> Position | None:
        """Return the last position with its age, None where there was none within two minutes."""
        self._drain()
        fix = self._state.fix
        age_s = self._monotonic() - self._fixed_at_s
        return None if fix is None or age_s > STALE_S else msgspec.structs.replace(fix, age_s=age_s)

    def _drain(self) -> None:
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._address, timeout=0.5)
                self._socket.sendall(WATCH)
                self._socket.setblocking(False)
                self._rest = b""
            while True:
                data = self._socket.recv(65_536)
                if not data:
                    raise ConnectionResetError(104, "gpsd has closed the connection")
                self._take(data)
        except BlockingIOError:
            return
        except OSError as error:
            self.close()
            raise InstrumentError(f"gpsd at {self._address[0]}:{self._address[1]}: {error.strerror or error}") from None

    def _take(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MAX_BYTES:
            self._rest = b""
        for line in whole:
            if self._state.take(line):
                self._fixed_at_s = self._monotonic()

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
