"""Tell systemd that the agent is up and alive (sd_notify over $NOTIFY_SOCKET)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Watchdog:
    """Sends READY, STATUS and WATCHDOG; silent where no service manager listens."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        period_us = environment.get("WATCHDOG_USEC", "")
        self.period_s = int(period_us) / 1e6 if period_us.isdecimal() and int(period_us) else None

    def ready(self) -> None:
        """Say that the agent has started."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Say that the loop turns, and what it waits for."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that the agent ends on purpose."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
            notifier.setblocking(False)
            try:
                notifier.sendto(message.encode(), self._address)
            except OSError:
                return  # a manager that does not listen must not stop the measuring
