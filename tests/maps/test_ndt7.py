"""A citizen's test for real: Chromium, M-Lab's browser library, our peer, our collector, the record in the archive."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from archive.store import Archive
from maps.site import Options, build
from maps.source import read_source
from tests.maps.browser import PHONE, page, ready, until, violations

SCRIPT = "import sys; from importlib import import_module; sys.argv[0] = 'x'; import_module(sys.argv.pop(1)).main()"


def start(module: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Start one of our commands and return it with the URL that it says it serves on."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        found = re.search(r"https?://[^\s,/]+", line)
        if found:
            return process, found.group().rstrip(".")
    raise AssertionError("".join(said))


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """Serve a site by the collector beside a peer that shares its ticket secret."""
    folder = tmp_path_factory.mktemp("ndt7")
    with Archive(folder / "archive", create=True):
        pass
    build(read_source(folder / "archive"), folder / "site", Options(datetime.now(UTC)))
    where = str(folder / "archive")
    collector, origin = start(
        "collector.cli", "serve", "--archive", where, "--port", "0", "--site", str(folder / "site")
    )
    try:
        secret = folder / "archive" / "ticket.secret"
        for _ in range(100):
            if secret.is_file():
                break
            time.sleep(0.05)
        peer, peer_url = start(
            "probe.cli", "peer", "--host", "127.0.0.1", "--port", "0", "--stamp-port", "-1", "--ticket-key", str(secret)
        )
        try:
            (folder / "site" / "test" / "settings.json").write_bytes(msgspec.json.encode({"peer_url": peer_url}))
            yield origin, peer_url, folder / "archive"
        finally:
            stop(peer)
    finally:
        stop(collector)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_phone_measures_and_reports_with_consent(served: tuple[str, str, Path]) -> None:
    origin, peer, archive = served
    place = {"longitude": 106.68123456, "latitude": 20.85678901, "accuracy": 20}
    with page(
        PHONE, allowed=(origin, peer, peer.replace("http", "ws")), geolocation=place, permissions=["geolocation"]
    ) as (tab, seen):
        ready(tab, f"{origin}/test/index.html")
        assert tab.locator("#start").is_enabled()
        tab.select_option("#operator", "MobiFone")
        tab.select_option("#technology", "lte")
        tab.click("#start")
        tab.wait_for_selector("#result", timeout=90_000)
        result = tab.evaluate("JSON.parse(localStorage.getItem('haidang.history'))[0]")
        assert result["down"] > 10, "a loopback carries more than 10 Mbit/s"
        assert result["up"] > 1
        assert 0 < result["idle"] < 1000
        assert result["loaded"] is not None
        assert "Gọi thoại" in tab.locator("#result").inner_text()
        assert violations(tab) == []
        assert (
            tab.evaluate(
                "haidang.picture.draw(JSON.parse(localStorage.getItem('haidang.history'))[0]).toDataURL().length"
            )
            > 20_000
        )
        tab.click("text=Đồng ý và gửi")
        until(tab, "/Đã nhận|Chưa gửi/.test(document.querySelector('#sent').textContent)")
        assert tab.locator("#sent").inner_text() == "Đã nhận. Cảm ơn bạn!"
        # The same ticket or result does not count twice: the button is spent.
        assert tab.locator("text=Đồng ý và gửi").is_disabled()
        ready(tab, f"{origin}/test/index.html")
        assert "MobiFone" in tab.locator("table").inner_text(), "history stays on the phone"
        seen.check()
    with Archive(archive) as opened, opened.snapshot() as snapshot:
        records = [row for day in snapshot.days for row in snapshot.frame(day).to_dicts()]
    assert len(records) == 1
    (record,) = records
    assert record["mode"] == "browser"
    assert record["network_operator"] == "MobiFone"
    assert (record["position_longitude_deg"], record["position_latitude_deg"]) == (106.681, 20.857)
    assert record["position_accuracy_m"] == 100
    assert record["throughput_downlink_goodput_bps"] == pytest.approx(result["down"] * 1e6, rel=0.01)
    assert record["latency_idle_sent_count"] == 12
    assert record["probe_id"].startswith("browser-")
    assert record["is_simulated"] is False


@pytest.mark.timeout(90)
def test_an_absent_peer_is_told_not_measured(served: tuple[str, str, Path]) -> None:
    origin, _, archive = served
    settings = archive.parent / "site" / "test" / "settings.json"
    before = settings.read_bytes()
    settings.write_text('{"peer_url": "http://127.0.0.1:9"}')
    try:
        with page(PHONE, allowed=(origin, "http://127.0.0.1:9")) as (tab, _):
            ready(tab, f"{origin}/test/index.html")
            tab.click("#start")
            tab.wait_for_selector("[role=alert]", timeout=60_000)
            assert "Không kết nối được máy chủ đo http://127.0.0.1:9" in tab.locator("[role=alert]").inner_text()
    finally:
        settings.write_bytes(before)
