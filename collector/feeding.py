"""The third process, only where sinks are configured: one thread a sink, so that one that hangs delays no other."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from archive.store import Archive
from collector import sink


def run(folder: Path, sinks: Mapping[str, Mapping[str, Any]], parent: int) -> None:
    """Feed every sink until told to stop, or until `parent` is no longer our parent process."""
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    feeders = [
        sink.Feeder(Archive(folder), name, sink.make(name, settings, folder), stop, random.Random())
        for name, settings in sinks.items()
    ]
    for feeder in feeders:
        threading.Thread(target=feeder.run, daemon=True).start()
    while os.getppid() == parent and not stop.is_set():
        stop.wait(1)
