"""A headless Chromium whose network is cut: what leaves the page is refused, remembered, and fails the test."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).parent / "axe" / "axe.min.js"
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "Debian's chromium is not installed (.ci/servers/install)"
        if os.environ.get("HAIDANG_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@dataclass
class Seen:
    """What went wrong in a page, and what it asked for elsewhere."""

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check(self) -> None:
        assert self.errors == []
        assert self.outside == []


@contextmanager
def chrome() -> Iterator[Any]:
    """Start a browser. While it is open nothing else of the thread may run an asyncio loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


_shared: list[Any] = []


@contextmanager
def shared() -> Iterator[None]:
    """Let every page opened meanwhile be a fresh context of one browser: a start costs more than most tests."""
    with chrome() as browser:
        _shared.append(browser)
        try:
            yield
        finally:
            _shared.clear()


@contextmanager
def page(size: dict[str, int], *, allowed: tuple[str, ...] = (), **context: Any) -> Iterator[tuple[Any, Seen]]:
    """Open a page; requests go to files and to `allowed` prefixes only."""
    seen = Seen()
    with ExitStack() as stack:
        browser = _shared[0] if _shared else stack.enter_context(chrome())
        opened = browser.new_context(viewport=size, **{"locale": "vi-VN", **context})
        stack.callback(opened.close)
        tab = opened.new_page()
        tab.set_default_timeout(20_000)

        def route(request: Any) -> None:
            url = request.request.url
            seen.requests.append(url)
            if url.startswith(("file:", "data:", "blob:", *allowed)):
                request.continue_()
            else:
                seen.outside.append(url)
                request.abort()

        tab.route("**/*", route)
        tab.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: seen.errors.append(str(error)))
        yield tab, seen


def ready(tab: Any, url: str, mark: str = "ready") -> None:
    """Open a URL and wait until its script says that it is drawn."""
    tab.goto("about:blank")
    tab.goto(url)
    until(tab, f"document.documentElement.dataset.{mark}")


def until(tab: Any, expression: str, seconds: float = 20.0) -> None:
    """Wait until an expression is true in the page; playwright's own waiting needs eval, which our policy forbids."""
    deadline = time.monotonic() + seconds
    while not tab.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        tab.wait_for_timeout(50)


def violations(tab: Any) -> list[str]:
    """Return what axe-core finds serious or critical."""
    # The page's policy forbids inline scripts, as it should; axe comes in through the debugger instead.
    tab.evaluate(AXE.read_text("utf-8"))
    found = tab.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations'], preload: false})).violations"
    )
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:120]} ({len(each['nodes'])})"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
