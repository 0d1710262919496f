"""Start our peer at the far end of a line and wait until it answers."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.lab.line import Lab

PORT = 8080
MAIN = "import sys; from probe.cli import main; sys.argv[0] = 'haidang-probe'; main()"
_KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()"


def start_peer(lab: Lab, *options: str) -> str:
    """Start it; return its URL as the probe's end sees it."""
    command = [sys.executable, "-c", MAIN, "peer", "--host", "0.0.0.0", "--port", str(PORT), *options]
    lab.start("peer", command, stderr=subprocess.DEVNULL)
    wait_for(lab, PORT)
    return f"http://{lab.peer_address}:{PORT}"


def wait_for(lab: Lab, port: int, seconds: float = 20) -> None:
    """Wait until something accepts connections at the far end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            lab.run("probe", [sys.executable, "-c", _KNOCK, lab.peer_address, str(port)])
            return
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
