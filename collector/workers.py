"""Processes that judge large bodies beside the one that serves, so that every core works and no small request waits.

Each caller always has the same worker, which so knows the test before of each of its probes. Without workers the work
is done on a thread.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
import zlib
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from archive.placing import Placer
from archive.store import Archive
from collector.admission import Admission
from collector.judging import Submission, judge
from collector.replies import Problem
from collector.settled import Settled

_decoder = msgspec.msgpack.Decoder(Settled)
_encoder = msgspec.msgpack.Encoder()
_admission: Admission | None = None


def _prepare(folder: Path, time_zone: str, parent: int) -> None:
    """Make this process a worker."""
    global _admission
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    with Archive(folder) as archive:
        placer = Placer.of(archive)
    placer.build()
    _admission = Admission(placer, ZoneInfo(time_zone))
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _follow(parent: int) -> None:
    """End with the parent, however it ends."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _judge(submission: Submission) -> bytes:
    if _admission is None:
        raise RuntimeError("this process was not prepared as a worker")
    return _encoder.encode(judge(_admission, submission))


class Workers:
    """Some worker processes, or a thread where there are none."""

    def __init__(self, count: int, folder: Path, time_zone: str, admission: Admission) -> None:
        """Use up to `count` processes, each started by its first body; with 0 the admission is asked on a thread."""
        self._folder = folder
        self._time_zone = time_zone
        self._admission = admission
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._processes: list[Executor | None] = [None] * count

    def _start(self) -> Executor:
        return ProcessPoolExecutor(
            1, get_context("spawn"), initializer=_prepare, initargs=(self._folder, self._time_zone, os.getpid())
        )

    async def judge(self, submission: Submission, caller: str) -> Settled:
        """Judge a large body.

        Raises
        ------
        IntakeError
            Where the body cannot be read.
        Problem
            `storage-full` where the worker was killed; another takes its place.
        """
        loop = asyncio.get_running_loop()
        if not self._processes:
            return await loop.run_in_executor(self._thread, judge, self._admission, submission)
        number = zlib.crc32(caller.encode()) % len(self._processes)
        executor = self._processes[number] = self._processes[number] or self._start()
        try:
            return _decoder.decode(await loop.run_in_executor(executor, _judge, submission))
        except BrokenProcessPool:
            if self._processes[number] is executor:
                self._processes[number] = None
            raise Problem("storage-full", "A worker was lost.", retry_after_s=2) from None

    def close(self) -> None:
        """End every process."""
        for executor in (self._thread, *self._processes):
            if executor is not None:
                executor.shutdown(wait=False, cancel_futures=True)
