"""Start a server, wait until it answers, end it. Knows subprocess and signals."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from measurement.errors import ConfigError, HaidangError

HOST = "127.0.0.1"
START_S = 90.0
"""A machine under load takes half a minute to start influxd."""
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def program(name: str) -> str:
    """Return the path of a program; what `.ci/servers/install` built comes first.

    Raises
    ------
    ConfigError
        Where it is not installed, with what to install.
    """
    cache = os.environ.get("HAIDANG_SERVERS") or Path.home() / ".cache" / "haidang" / "servers"
    folders = [f"{cache}/bin", os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"]
    path = shutil.which(name, path=os.pathsep.join(folders))
    if path is None:
        raise ConfigError(f"Invalid PATH: no program {name!r}. `.ci/servers/install` installs it.")
    return path


def free_port() -> int:
    """Return a TCP port of this host on which nobody listens, with UDP free too."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind((HOST, 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind((HOST, port))
            except OSError:
                continue
            return port


def answers(url: str) -> bool:
    """Tell whether a GET succeeds now."""
    try:
        with _opener.open(url, timeout=3) as reply:
            return 200 <= int(reply.status) < 300
    except (OSError, HTTPException):
        return False


class Server:
    """One server, from `start` to `stop`; its output goes to a file."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, ready_url: str | None) -> None:
        """Say what to run and which address answers once it is ready; None is ready at once."""
        self.name, self.log, self.ready_url = name, log, ready_url
        self.command = [str(word) for word in command]
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it and return once it answers.

        Raises
        ------
        HaidangError
            Where it ends or does not answer, with the end of what it printed.
        """
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while self.ready_url is not None and not answers(self.ready_url):
            if not self.is_running or time.monotonic() > deadline:
                self.stop()
                raise HaidangError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it in order, and by force after ten seconds."""
        child, self._child = self._child, None
        if child is None or child.poll() is not None:
            return
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
