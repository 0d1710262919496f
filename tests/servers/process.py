"""Run one real server as a process of the test, and hurt it where a test wants to see that."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

START_S = 30.0  # a busy machine starts influxd in about ten
STOP_S = 5.0
POLL_S = 0.02


class ServerError(Exception):
    """Say that a server did not start, with the end of what it printed."""


class Process:
    """Keep a server running from `start` to `stop`; its output goes to `log`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        start_s: float = START_S,
        stop_signals: int = 1,
    ) -> None:
        self.command = [str(word) for word in command]
        self.log = log
        self.ready = ready
        self.environment = {**os.environ, **(environment or {})}
        self.start_s = start_s
        self.stop_signals = stop_signals
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Give the id of the running process."""
        if self._child is None:
            raise ServerError(f"{self.command[0]} is not running.")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Tell whether the process is there; a paused one is."""
        return self._child is not None and self._child.poll() is None

    def output(self) -> str:
        """Give everything the server has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def start(self) -> None:
        """Start the server and return when it answers, or raise `ServerError` after `start_s` seconds."""
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.log.parent,
                start_new_session=True,
            )
        deadline = time.monotonic() + self.start_s
        while not self.ready():
            if not self.running or time.monotonic() > deadline:
                why = "ended at once" if not self.running else f"did not answer in {self.start_s:g} s"
                self.kill()
                raise ServerError(f"{self.command[0]} {why}:\n{self.output()[-2000:]}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End the server in order; one that does not end within `STOP_S` seconds is killed."""
        if self._child is None:
            return
        with suppress(subprocess.TimeoutExpired):
            for _ in range(self.stop_signals):
                self._signal(signal.SIGTERM)
                time.sleep(POLL_S)
            self._child.wait(STOP_S)
        self.kill()

    def kill(self) -> None:
        """End the server and what it started as a power cut would."""
        if self._child is not None:
            self._signal(signal.SIGKILL)
            self._child.wait()
            self._child = None

    def restart(self) -> None:
        """Start the same server again, on the same port and folder."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # The session's group, which outlives its first process: helpers of the server go with it.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
