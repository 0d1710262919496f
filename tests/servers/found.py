"""Find the program of a real server, and say what happens when it is not there."""

import os
import shutil
from pathlib import Path

import pytest


def cache() -> Path:
    """Give the folder into which `.ci/servers/install` builds."""
    if chosen := os.environ.get("HAIDANG_SERVERS"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "haidang" / "servers"


def located(program: str) -> Path | None:
    """Look for a program: what `install` built comes first, then PATH with the folders of the system's daemons."""
    folders = [str(cache() / "bin"), os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
    path = shutil.which(program, path=os.pathsep.join(folders))
    return Path(path) if path else None


def required() -> bool:
    """Tell whether a missing server fails the test, as in CI, instead of skipping it."""
    return os.environ.get("HAIDANG_REQUIRE_SERVERS") == "1"


def found(program: str) -> Path:
    """Give the path of a server's program; skip the test without it, or fail it where servers are required."""
    if path := located(program):
        return path
    message = f"needs {program}: run .ci/servers/install"
    if required():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
