"""Beside a real InfluxDB 2.7: time to acknowledge, how fast the sink catches up, how fast records are read back.

Needs influxd (`.ci/servers/install`). `HAIDANG_BENCH_RECORDS` sets how many records the sink is given (60,000).
"""

from __future__ import annotations

import gzip
import http.client
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis.influx import Place, blocks
from archive.blocks import frame
from archive.gathering import pack
from archive.placing import Placer
from archive.store import Archive
from benchmarks import Row
from collector import sink, tables
from collector.sinks import influx
from collector.sinks.blocks import block_lines
from collector.sinks.lines import test_lines
from measurement import gazetteer
from measurement.codec import encode
from measurement.columns import area_column
from tests.archive.sample import records
from tests.collector.running import Running
from tests.servers.influxd import Influxd, running

RECORDS = int(os.environ.get("HAIDANG_BENCH_RECORDS", "60000"))
BATCH = 500
ROUNDS = 40
READ_TIMES = 8
"""How often the same records stand in the bucket that is read, each time under new ids."""
ARRAYS = (
    "started_at",
    "position_longitude_deg",
    "position_latitude_deg",
    "throughput_downlink_goodput_bps",
    "throughput_uplink_goodput_bps",
    "latency_idle_rtt_median_ms",
    "latency_idle_loss_ratio",
)


class _Door(NamedTuple):
    """One server that takes a batch over a connection that stays open."""

    connection: http.client.HTTPConnection
    path: str
    headers: dict[str, str]
    status: int

    def time(self, body: bytes) -> float:
        begin = time.perf_counter()
        self.connection.request("POST", self.path, body, self.headers)
        answer = self.connection.getresponse()
        answer.read()
        took = time.perf_counter() - begin
        if answer.status != self.status:
            raise RuntimeError(f"{self.path} answers {answer.status}")
        return took


def _points(collector: Running, seen: int) -> Iterator[pl.DataFrame]:
    with Archive(collector.folder) as archive, archive.snapshot() as snapshot:
        whole = pl.concat(snapshot.frame(day) for day in snapshot.days)
    if whole.height != seen:
        raise RuntimeError(f"{whole.height} of {seen} records stored")
    yield from whole.iter_slices(BATCH)


def acknowledge(server: Influxd, folder: Path) -> Row:
    """Time batches to the collector, then the very points of these batches to influxd itself."""
    collector = Running(folder / "collector")
    token = collector.token("probe-1")
    bodies = [gzip.compress(b"\n".join(encode(r) for r in records(BATCH, seed=seed)), 1) for seed in range(ROUNDS)]
    with collector:
        ours = _Door(
            http.client.HTTPConnection("127.0.0.1", collector.port),
            "/v1/records",
            {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
            202,
        )
        taken = [ours.time(body) for body in bodies]
    host = server.url.removeprefix("http://")
    theirs = _Door(
        http.client.HTTPConnection(host),
        f"/api/v2/write?org={server.org}&bucket={server.new_bucket('straight')}&precision=ns",
        {"Authorization": f"Token {server.token}", "Content-Encoding": "gzip"},
        204,
    )
    written = [theirs.time(gzip.compress(test_lines(part), 1)) for part in _points(collector, ROUNDS * BATCH)]
    half = ROUNDS // 4  # the first ones start worker, caches and shards of both
    a, b = statistics.median(taken[half:]) * 1000, statistics.median(written[half:]) * 1000
    return Row("influx", f"time to acknowledge {BATCH} records against influxd's own write of their points",
               "≤ 1.5 ×", f"{a / b:.2f} ×",
               f"medians {a:.0f} ms and {b:.0f} ms of {ROUNDS - half}, gzip, one connection")  # fmt: skip


def _archive(folder: Path, count: int) -> Archive:
    """Make an archive of records as probes send them, each in its areas."""
    archive = Archive(folder, create=True)
    tables.prepare(archive)
    archive.set_layers(gazetteer.layers())
    placer = Placer(archive.layers())
    for start in range(0, count, 10_000):
        found = records(min(10_000, count - start), seed=start, probe_id=f"probe-{start % 250}")
        part = frame([pack(found, {})], archive.layer_keys())
        areas = placer.areas(part["position_longitude_deg"].to_numpy(), part["position_latitude_deg"].to_numpy())
        named = [pl.Series(area_column(key), keys.tolist(), pl.String) for key, keys in areas.items()]
        archive.append_frame(part.with_columns(named))
    return archive


def catch_up(server: Influxd, folder: Path) -> Row:
    """Time how a sink that was away takes what has gathered."""
    archive = _archive(folder / "backlog", RECORDS)
    made = influx.make({"url": server.url, "org": server.org, "bucket": "late"}, archive.path)
    sink.register(archive, "influx")
    fed = sink.Feeder(Archive(archive.path), "influx", made, threading.Event(), random.Random(1))
    begin, processor = time.perf_counter(), time.process_time()
    while sink.cursor_of(archive, "influx") < RECORDS:
        time.sleep(min(1.0, fed.step()))
    took, processor = time.perf_counter() - begin, time.process_time() - processor
    (failed,) = archive.connection.execute("SELECT failed_count FROM sink_cursors").fetchone()
    return Row("influx", "sink catching up, records/s", "told", f"{RECORDS / took:,.0f}/s",
               f"{RECORDS:,} records in {took:.0f} s; the sink's own CPU {processor / RECORDS * 1e6:.0f} µs a record; "
               f"{failed} writes refused; at the end {made._pace.size:,} records a write")  # fmt: skip


def _fill(server: Influxd, folder: Path) -> str:
    """Write blocks straight, the same records several times under other ids: only the number of rows matters."""
    bucket = server.new_bucket("blocks")
    with Archive(folder / "backlog") as archive, archive.snapshot() as snapshot:
        whole = pl.concat(snapshot.frame(day) for day in snapshot.days)
    for number in range(READ_TIMES):
        again = whole.with_columns(
            pl.col("record_id").str.head(-2) + f"{number:02d}", pl.col("started_at") - pl.duration(hours=number)
        )
        for part in again.iter_slices(5_000):
            server.write(block_lines(part).decode(), bucket)
    return bucket


def read(server: Influxd, folder: Path) -> Row:
    """Time reading every record into numpy arrays, and with every column into an archive that can be judged."""
    place = Place(server.url, server.org, _fill(server, folder))
    begin, rows, sums = time.perf_counter(), 0, 0.0
    for some in blocks(place, start="-2d", names=ARRAYS):
        arrays = [some[name].to_physical().to_numpy() for name in ARRAYS]
        rows += some.height
        sums += float(np.nansum(arrays[1]))
    took = time.perf_counter() - begin
    if rows != RECORDS * READ_TIMES or not sums:
        raise RuntimeError(f"{rows} of {RECORDS * READ_TIMES} rows read")
    return Row("influx", "InfluxDB read into arrays", "≥ 200,000 rows/s", f"{rows / took:,.0f} rows/s",
               f"{rows:,} rows in {took:.1f} s, blocks of columns streamed through Flux, 7 arrays each")  # fmt: skip


def run() -> list[Row]:
    """Run every part against one influxd with a fresh folder."""
    parts: tuple[Callable[[Influxd, Path], Row], ...] = (acknowledge, catch_up, read)
    with tempfile.TemporaryDirectory(prefix="haidang-influx-") as name:
        folder = Path(name)
        (folder / "influxd").mkdir()
        with running(folder / "influxd") as server:
            os.environ[influx.TOKEN_VARIABLE] = server.token
            return [part(server, folder) for part in parts]


if __name__ == "__main__":
    for row in run():
        print(row)
