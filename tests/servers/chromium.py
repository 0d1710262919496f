"""Drive Chromium without a window."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.found import found


def flags(profile: Path) -> list[str]:
    """Give the flags for a browser that keeps to itself: no window, no updates, nobody but this machine."""
    chosen = ["--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--hide-scrollbars"]
    chosen += [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
    ]
    chosen += ["--disable-dev-shm-usage"]  # a container's /dev/shm is small
    chosen += ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1"]
    chosen += [f"--user-data-dir={profile}"]
    if os.geteuid() == 0:
        chosen += ["--no-sandbox"]  # Chromium's sandbox refuses root
    return chosen


@dataclass(frozen=True)
class Chromium:
    """Hold the browser's program and a fresh profile."""

    program: Path
    profile: Path

    @property
    def command(self) -> list[str]:
        """Give the program with its flags, to add what to do and where."""
        return [str(self.program), *flags(self.profile)]

    def run(self, *words: str, timeout_s: float = 60) -> str:
        """Run the browser once and give what it prints."""
        done = subprocess.run([*self.command, *words], capture_output=True, text=True, timeout=timeout_s, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def dom(self, url: str, *, budget_ms: int = 5000) -> str:
        """Load a page, let its scripts run for `budget_ms` of their own time, and give its HTML then."""
        return self.run(f"--virtual-time-budget={budget_ms}", "--dump-dom", url)

    def screenshot(
        self, url: str, picture: Path, *, width: int = 1280, height: int = 800, budget_ms: int = 5000
    ) -> Path:
        """Load a page and make a PNG of it."""
        size = f"--window-size={width},{height}"
        self.run(size, f"--virtual-time-budget={budget_ms}", f"--screenshot={picture}", url)
        return picture


@pytest.fixture
def chromium(tmp_path: Path) -> Chromium:
    """Give a test a browser with a fresh profile."""
    return Chromium(program=found("chromium"), profile=tmp_path / "chromium")
