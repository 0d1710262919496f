"""Progress of a running test, on stderr: one live line on a terminal, a plain line a phase where there is none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO

from probe.presentation import Words, rate
from probe.throughput.plan import Listener, Progress


def describe(progress: Progress, words: Words) -> str:
    """Return a phase at a glance."""
    if progress.is_warming:
        return f"{words[progress.direction.value]}: {words['warming']} …"
    shown = "…" if progress.rate_bps is None else rate(words, progress.rate_bps)
    used = f"{words.number(progress.elapsed_s, 1)} s  {words.number(progress.bytes_count / 1e6, 1)} MB"
    return f"{words[progress.direction.value]}: {shown}  {used}"


@contextlib.contextmanager
def live(language: str, stream: TextIO | None = None) -> Iterator[Listener]:
    """Show progress while the block runs; gives the listener to hand on."""
    output = stream or sys.stderr
    words = Words(language)
    if not output.isatty():
        yield _plain(output, words)
        return
    from rich.console import Console

    console = Console(file=output)
    with console.status(f"{words['reaching']} …") as status:
        yield lambda progress: status.update(describe(progress, words))


def _plain(output: TextIO, words: Words) -> Listener:
    told: set[tuple[str, bool]] = set()

    def listener(progress: Progress) -> None:
        phase = (progress.direction.value, progress.is_warming)
        if phase not in told and (progress.is_warming or progress.rate_bps is not None):
            told.add(phase)
            print(describe(progress, words), file=output, flush=True)

    return listener
