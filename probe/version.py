"""The name and version that a probe and a peer give of themselves."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    AGENT = f"haidang/{version('haidang')}"
except PackageNotFoundError:  # run from a source tree that was never installed
    AGENT = "haidang/0"
