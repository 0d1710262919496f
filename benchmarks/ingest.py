"""How fast the collector keeps records: single ones, gzip batches, and a restart with a backlog.

The load comes from a second process on loopback, so the two cores carry sender, collector and sealer together.
`HAIDANG_BENCH_SECONDS` sets the length of the batch run (60; the full figure is 300).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from archive.gathering import pack
from archive.journal import Incoming, Journal, Part
from archive.store import Archive
from benchmarks import Row
from benchmarks.load import prepare
from measurement import gazetteer
from tests.archive.sample import records
from tests.collector.running import Running

SECONDS = float(os.environ.get("HAIDANG_BENCH_SECONDS", "60"))
BATCH = 500
MOST_REQUESTS_PER_S = 60
"""Prepared for each second of sending: 30,000 records."""


def _load(port: int, path: Path, connections: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(path), str(connections), str(seconds)]
    done = subprocess.run(command, capture_output=True, check=True)
    return dict(msgspec.json.decode(done.stdout))


_FREE = ("probe_requests_per_s", "probe_burst", "address_requests_per_s", "address_burst")


def _config(folder: Path) -> Path:
    path = folder / "bench.toml"
    path.write_text("[limits]\n" + "".join(f"{key} = 1e9\n" for key in _FREE))
    return path


def _helpers(pid: int) -> list[int]:
    return [int(p) for t in Path(f"/proc/{pid}/task").iterdir() for p in (t / "children").read_text().split()]


def _cpu_s(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of the serving process and of its helpers."""

    def of(one: int) -> float:
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    return of(pid), sum(of(helper) for helper in _helpers(pid))


def _memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


class _Memory:
    """Looks once a second at what the serving process and its helpers have resident."""

    def __init__(self, pid: int) -> None:
        self.serving_mb: list[float] = []
        self.helpers_mb: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(pid,))
        self._thread.start()

    def _run(self, pid: int) -> None:
        while not self._stop.wait(1):
            self.serving_mb.append(_memory_mb(pid))
            self.helpers_mb.append(sum(map(_memory_mb, _helpers(pid))))

    def row(self) -> Row:
        """End, and compare the second fifth of the time with the last."""
        self._stop.set()
        self._thread.join()
        fifth = max(1, len(self.serving_mb) // 5)
        early, late = self.serving_mb[fifth : 2 * fifth], self.serving_mb[-fifth:]
        own = [statistics.median(part) for part in (early, late)]
        helpers = [statistics.median(part) for part in (self.helpers_mb[fifth : 2 * fifth], self.helpers_mb[-fifth:])]
        return Row("ingest", "resident memory while batches come, serving process", "flat",
                   f"{own[0]:.0f} → {own[1]:.0f} MB",
                   f"medians of the second and the last fifth of {len(self.serving_mb)} s; workers and sealer together "
                   f"{helpers[0]:.0f} → {helpers[1]:.0f} MB")  # fmt: skip


def _percentile(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))] * 1000


def singles(folder: Path) -> list[Row]:
    """Time single records over 32 connections."""
    running = Running(folder / "singles", "--config", str(_config(folder)))
    requests = folder / "singles.bin"
    tokens = {f"probe-{number}": running.token(f"probe-{number}") for number in range(8)}
    prepare(requests, 4_000, 1, is_zipped=False, tokens=tokens)
    with running:
        _load(running.port, requests, 4, 2)  # the first second is that of imports and grids
        prepare(requests, 60_000, 1, is_zipped=False, tokens=tokens, seed=2)
        result = _load(running.port, requests, 32, 15)
    rate = result["statuses"].get("202", 0) / result["seconds"]
    p99 = _percentile(result["times"], 0.99)
    return [Row("ingest", "single-record POSTs, durable", "≥ 1,500/s, p99 ≤ 50 ms",
                f"{rate:,.0f}/s, p99 {p99:.1f} ms", f"32 connections, answers {result['statuses']}")]  # fmt: skip


def batches(folder: Path, seconds: float) -> list[Row]:
    """Time gzip batches over eight connections, and watch memory and the journal."""
    running = Running(folder / "batches", "--config", str(_config(folder)))
    requests = folder / "batches.bin"
    tokens = {f"probe-{number}": running.token(f"probe-{number}") for number in range(8)}
    size = prepare(requests, int(seconds * MOST_REQUESTS_PER_S), BATCH, is_zipped=True, tokens=tokens)
    warm = folder / "warm.bin"
    prepare(warm, 40, BATCH, is_zipped=True, tokens=tokens, seed=99)
    with running:
        first_sent = _load(running.port, warm, 8, 60)["statuses"].get("202", 0) * BATCH  # starts the workers
        memory, (served, kept) = _Memory(running.pid), _cpu_s(running.pid)
        result = _load(running.port, requests, 8, seconds)
        row = memory.row()
        hot = running.metrics()["haidang_journal_records"]
        sent = result["statuses"].get("202", 0) * BATCH
        begin = time.perf_counter()
        while running.metrics()["haidang_journal_records"] > 100_000:
            time.sleep(0.5)
        drained = time.perf_counter() - begin
        cpu = _cpu_s(running.pid)
    with Archive(running.folder) as archive, archive.snapshot() as snapshot:
        stored = snapshot.row_count
    measured = f"{sent / result['seconds']:,.0f}/s for {result['seconds']:.0f} s"
    note = (
        f"{size:,.0f} B a record, p99 {_percentile(result['times'], 0.99):.0f} ms, answers {result['statuses']}; "
        f"{stored - sent - first_sent:+d} stored beyond acknowledged; "
        f"{hot:,.0f} unsealed at the end, drained in {drained:.0f} s; "
        f"CPU a record: serving {(cpu[0] - served) / sent * 1e6:.0f}, "
        f"judging and sealing {(cpu[1] - kept) / sent * 1e6:.0f}, sending {result['cpu_s'] / sent * 1e6:.0f} µs"
    )
    return [Row("ingest", f"gzip batches of {BATCH}, validated, placed, durable", "≥ 30,000/s", measured, note), row]


def restart(folder: Path, count: int = 1_000_000) -> list[Row]:
    """Time the start with a backlog of unsealed records, and its draining while serving."""
    running = Running(folder / "restart")
    with Archive(running.folder) as archive:
        archive.set_layers(gazetteer.layers())
        _backlog(archive, count)
    begin = time.perf_counter()
    with running:
        while running.call("GET", "/healthz").status != 200:
            time.sleep(0.01)
        serving = time.perf_counter() - begin
        while running.metrics()["haidang_journal_records"] > 0:
            time.sleep(0.25)
        drained = time.perf_counter() - begin
        memory = _memory_mb(running.pid)
    with Archive(running.folder) as archive, archive.snapshot() as snapshot:
        stored = snapshot.row_count
    note = f"{stored:,} of {count:,} records stored; drained in {drained:.0f} s while serving; RSS {memory:.0f} MB"
    return [Row("ingest", "restart with a 1 M-record backlog", "serving within 2 s", f"{serving:.2f} s", note)]


def _backlog(archive: Archive, count: int) -> None:
    journal = Journal(archive)
    found = records(BATCH)
    body = pack(found, {})
    for number in range(count // BATCH):
        ids = [(number * BATCH + index).to_bytes(16) for index in range(BATCH)]
        journal.append(Incoming(ids, [Part("2026-11-22", list(range(BATCH)), body)]), lambda _: None)
    journal.close()


PARTS = {
    "singles": singles,
    "batches": lambda folder: batches(folder, SECONDS),
    "restart": restart,
}


def run(parts: Sequence[str] = tuple(PARTS)) -> list[Row]:
    """Run every part, or those named."""
    rows = []
    for part in parts:
        load = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="haidang-bench-") as name:
            found = PARTS[part](Path(name))
        # What others ran on these cores; above 1 the figures say more of them than of us.
        rows += [row._replace(ratio_note=f"{row.ratio_note}; load average {load:.0f} before") for row in found]
    return rows


if __name__ == "__main__":
    for row in run(sys.argv[1:] or tuple(PARTS)):
        print(row)
