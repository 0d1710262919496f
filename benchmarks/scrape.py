"""What Prometheus asks of a collector at city scale: time, size and series of a scrape, 114 areas x 4 operators x 2."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import polars as pl

from analysis import results
from archive.store import Archive
from benchmarks import Row
from collector.config import Deployment, install
from collector.exposition import page_of
from collector.service import Service
from collector.settled import Note
from measurement.gazetteer import layers

TOPIC = "scrape"
OPERATORS = ("Viettel", "VinaPhone", "MobiFone", "Vietnamobile")
STATIONS = 2_400
TESTS = 4
"""Of each area, operator and technology in the hour."""


def _fill(service: Service) -> None:
    """Put an hour of tests of every commune, district, operator and technology into the window, simulated."""
    keys = service.archive.layer_keys()
    areas = {layer.key: [area.key for area in layer.areas] for layer in layers()}
    notes, now, number = [], datetime.now(UTC).timestamp(), 0
    for index in range(len(areas["communes-2025"])):
        for operator, technology, _ in product(OPERATORS, ("lte", "nr_sa"), range(TESTS)):
            here = {"communes-2025": index, "districts-2024": index % 15}
            notes.append(
                Note(
                    probe_id=f"p{number % 250}", agent="bench/1", started_s=now, operator=operator,
                    technology=technology, areas=[areas[key][here[key]] if key in here else None for key in keys],
                    downlink_bps=4e7, uplink_bps=1e7, latency_s=0.03, loss_ratio=0.0, is_failed=False,
                    is_simulated=True, flags=[], organisation="office" if number % 15 == 0 else None,
                    is_fixed=True, base_station=f"S{number % STATIONS:05d}",
                )
            )  # fmt: skip
            number += 1
    service.window.add(notes)
    service.uptime.add(notes)


def _judge(archive: Archive) -> None:
    """Write the scores that the analysis would, and some degradations."""
    rows = [
        {"layer": layer.key, "area": area.key, "operator": operator, "technology": technology, "kpi": "score",
         "statistic": "score",
         "value": 70.0, "period": "2026-11", "severity": 1}
        for layer in layers() for area in layer.areas for operator in OPERATORS for technology in ("4g", "5g")
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    archive.write_result("area_ratings", results.shape("area_ratings", frame))
    archive.write_result("degraded", results.shape("degraded", frame.head(500)))


def _timed(service: Service, seconds: list[float]) -> bytes:
    began = time.perf_counter()
    page = page_of(service)
    seconds.append(time.perf_counter() - began)
    return page


def _said(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds[1:]):.0f} ms median, {1000 * max(seconds[1:]):.0f} ms worst of 10"


def run() -> list[Row]:
    """Measure ten scrapes of one collector in this process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Archive(folder / "a", create=True) as archive:
            install(archive, Deployment(), folder)
            _judge(archive)
        service = Service(folder / "a", Deployment())
        try:
            busy: list[float] = []
            quiet: list[float] = []
            for _ in range(11):
                _fill(service)  # new tests in every series since the last scrape: the worst case
                page = _timed(service, busy)
                _timed(service, quiet)
            series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
        finally:
            service.close()
    what = "114 communes and 15 districts x 4 operators x 2 technologies, 2,400 stations, simulated"
    return [
        Row(TOPIC, f"time of a scrape, {what}", "<= 100 ms", _said(busy), "every series changed since the last scrape"),
        Row(TOPIC, "time of a scrape, the same, nothing new", "<= 100 ms", _said(quiet), ""),
        Row(TOPIC, "series of a scrape", "<= 20,000", f"{series:,} in {len(page) / 1e6:.1f} MB", ""),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ", file=sys.stdout)
