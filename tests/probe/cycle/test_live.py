"""Progress of a test: one live line on a terminal, a plain line a phase elsewhere."""

from __future__ import annotations

import io

import pytest

from probe.live import describe, live
from probe.presentation import Words
from probe.throughput.plan import Direction, Progress

WARM = Progress(Direction.DOWNLINK, 0.2, 100, None, True)
RUNNING = Progress(Direction.UPLINK, 1.25, 2_500_000, 12.3e6, False)


@pytest.mark.parametrize(
    ("progress", "language", "text"),
    [
        (WARM, "en", "Downlink: warming up …"),
        (WARM, "vi", "Tải xuống: khởi động …"),
        (RUNNING, "en", "Uplink: 12.3 Mbit/s  1.2 s  2.5 MB"),
        (RUNNING, "vi", "Tải lên: 12,3 Mbit/s  1,2 s  2,5 MB"),
    ],
)
def test_describe(progress: Progress, language: str, text: str) -> None:
    assert describe(progress, Words(language)) == text


def test_no_terminal_gets_one_line_a_phase() -> None:
    output = io.StringIO()
    with live("en", output) as listener:
        for _ in range(5):
            listener(WARM)
            listener(RUNNING)
    assert output.getvalue().splitlines() == [describe(WARM, Words("en")), describe(RUNNING, Words("en"))]


def test_a_terminal_gets_a_live_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    output = Terminal()
    with live("vi", output) as listener:
        listener(RUNNING)
    assert "Tải lên: 12,3 Mbit/s" in output.getvalue()
