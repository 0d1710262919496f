"""Attend a drive at a terminal: the live display, and keys to pause, note, test and stop."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live

from probe.drive.display import Display
from probe.drive.drive import Drive
from probe.drive.keys import Keys

REFRESH_S = 0.25


def attend(drive: Drive, name: str, duration_s: float | None = None) -> None:
    """Show the drive until it stops."""
    console, display = Console(), Display(drive, name)
    with Keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        while not drive.is_stopped:
            live.update(display.render(console), refresh=True)
            for letter in keys.read(REFRESH_S):
                press(drive, display, letter)
            if duration_s is not None and drive.clock.monotonic() - drive.started_s >= duration_s:
                drive.stop()


def press(drive: Drive, display: Display, letter: str) -> None:
    """Obey one key."""
    if display.entry is not None:
        _type(drive, display, letter)
    elif letter in "qQ":
        drive.stop()
    elif letter in "pP":
        drive.is_paused = not drive.is_paused
        drive.clock.wake()
    elif letter in "tT":
        drive.test_now()
    elif letter in "nN":
        display.entry = ""


def _type(drive: Drive, display: Display, letter: str) -> None:
    entry = display.entry or ""
    if letter in "\r\n":
        if entry.strip():
            drive.note(entry.strip())
        display.entry = None
    elif letter == "\x1b":
        display.entry = None
    elif letter in "\x7f\b":
        display.entry = entry[:-1]
    elif letter.isprintable():
        display.entry = (entry + letter)[:200]
