"""Single keys from a terminal, without the return key; the terminal is given back as it was."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Any


class Keys:
    """Reads keys while it is open; where standard input is no terminal there are none."""

    def __init__(self) -> None:
        self._handle = sys.stdin.fileno() if sys.stdin.isatty() else -1
        self._before: Any = None

    def __enter__(self) -> Keys:
        if self._handle >= 0:
            self._before = termios.tcgetattr(self._handle)
            tty.setcbreak(self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            termios.tcsetattr(self._handle, termios.TCSADRAIN, self._before)

    def read(self, timeout_s: float) -> str:
        """Return what was typed within the time, empty where nothing was; never blocks longer."""
        if self._handle < 0:
            select.select([], [], [], timeout_s)
            return ""
        ready, _, _ = select.select([self._handle], [], [], timeout_s)
        return os.read(self._handle, 64).decode("utf-8", "replace") if ready else ""
