"""A serial port that talks AT. Knows pyserial, which is loaded when a port is opened."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from measurement.errors import InstrumentError

ANSWER_S = 1.5  # QENG answers within 0.3 s; a modem that searches may need a second
_ENDS = ("OK", "ERROR")
_MAX_BYTES = 65_536


class AtPort:
    """One port, opened when first asked and again after it was lost."""

    def __init__(self, device: str, baud: int = 115_200) -> None:
        self.device, self._baud = device, baud
        self._serial: Any = None

    def ask(self, command: str, answer_s: float = ANSWER_S) -> str:
        """Send a command and return its answer up to OK or ERROR, or what came within the time.

        Raises
        ------
        InstrumentError
            Where the port is gone; the next call opens it again.
        """
        import serial

        try:
            port = self._opened()
            port.reset_input_buffer()
            port.write(command.encode("ascii") + b"\r")
            return _until_end(port, answer_s)
        except (serial.SerialException, OSError, ValueError) as error:
            self.close()
            raise InstrumentError(f"serial port {self.device}: {getattr(error, 'strerror', None) or error}") from None

    def _opened(self) -> Any:
        import serial

        if self._serial is None:
            self._serial = serial.Serial(self.device, self._baud, timeout=0.05, write_timeout=1, exclusive=True)
        return self._serial

    def close(self) -> None:
        """Give the port back."""
        if self._serial is not None:
            with suppress(OSError):  # it may be gone already
                self._serial.close()
            self._serial = None


def _until_end(port: Any, answer_s: float) -> str:
    heard = b""
    until = time.monotonic() + answer_s
    while time.monotonic() < until and len(heard) < _MAX_BYTES:
        heard += port.read(4096)
        rows = heard.replace(b"\r", b"\n").decode("utf-8", "replace").split("\n")
        if any(row.strip() in _ENDS or row.startswith(("+CME ERROR", "+CMS ERROR")) for row in rows):
            break
    return heard.decode("utf-8", "replace")
