"""Partials of days, kept in the archive by content: a day that did not change is never read again.

The key of a partial is the SHA-256 of what it was made from: the segments' digests, the hot rows, layers, thresholds
and the code of the steps. A change in any of them makes another key.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from analysis import observations, partition, quantisation, rules, shelf, technology
from analysis.observations import RATED_COLUMNS, DayRecords, day_records, read_days
from analysis.partition import NO_AREA, Partial, area_row, coded, partial_of, station_row
from analysis.thresholds import Thresholds
from archive.snapshot import Snapshot
from measurement.columns import area_column

FOLDER = "results/.partials"
_CODE = (observations, partition, quantisation, rules, shelf, technology)
BATCH_ROWS = 65_536
"""Records cleaned together: their columns still fit the processor's cache."""

HOT_RECORD_BYTES = 300
"""What a record in a hot block takes, about: blocks do not say how many they hold."""


class DayTask(NamedTuple):
    """What a worker needs to make the partial of one day."""

    records: DayRecords
    layers: dict[str, list[str]]
    zone: str
    thresholds: Thresholds
    target: Path

    @property
    def day(self) -> str:
        """The civil day."""
        return self.records.day


class Summary(NamedTuple):
    """What is said of a partial beside its rows. `area_rows` counts the rows of each area, by layer."""

    day: str
    exclusions: list[tuple[str, str, int]]
    operators: dict[str, int]
    stations: dict[str, int]
    area_counts: dict[str, list[int]]


def code_digest(modules: Iterable[ModuleType]) -> str:
    """Return a digest of the code of some steps and of the library that hashes names."""
    digest = hashlib.sha256(pl.__version__.encode())
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def day_tasks(
    root: Path, snapshot: Snapshot, layers: Mapping[str, Sequence[str]], zone: str, thresholds: Thresholds
) -> list[DayTask]:
    """Return the task of each day of a snapshot, keyed by content."""
    shared = hashlib.sha256(code_digest(_CODE).encode())
    shared.update(json.dumps([{k: list(v) for k, v in layers.items()}, zone]).encode())
    shared.update(msgspec.json.encode(thresholds))
    tasks = []
    names = {layer: list(areas) for layer, areas in layers.items()}
    for day in snapshot.days:
        records = day_records(snapshot, day)
        key = shared.copy()
        key.update(day.encode())
        for segment in records.segments:
            key.update(segment.sha256.encode())
        for block in records.blocks:
            key.update(hashlib.sha256(block).digest())
        tasks.append(DayTask(records, names, zone, thresholds, root / FOLDER / key.hexdigest()[:32]))
    return tasks


def _summary(day: str, partial: Partial, layers: Mapping[str, Sequence[str]]) -> Summary:
    counts = {}
    for layer, areas in layers.items():
        index = partial.area_tests[area_column(layer)]
        counts[layer] = np.bincount(index[index != NO_AREA], minlength=len(areas)).tolist()
    return Summary(day, partial.exclusions, partial.operators, partial.stations, counts)


def _number(day: str) -> int:
    """Return days since 1970."""
    return date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()


def found(task: DayTask) -> Summary | None:
    """Return the summary of a day's partial; None where it must be made."""
    said = task.target / "summary.json"
    return msgspec.json.decode(said.read_bytes(), type=Summary) if said.is_file() else None


def batches(tasks: Sequence[DayTask]) -> list[list[DayTask]]:
    """Put days together that are read at once: about `BATCH_ROWS` records, as much costs the same for few and many."""
    cut: list[list[DayTask]] = []
    rows = 0
    for task in tasks:
        hot = sum(len(block) for block in task.records.blocks) // HOT_RECORD_BYTES
        count = hot + sum(segment.row_count for segment in task.records.segments)
        if not cut or rows + count > BATCH_ROWS:
            cut.append([])
            rows = 0
        cut[-1].append(task)
        rows += count
    return cut


def build(tasks: Sequence[DayTask]) -> list[Summary]:
    """Make the partials of some days and return their summaries."""
    layers, zone, thresholds = tasks[0].layers, tasks[0].zone, tasks[0].thresholds
    seen, counts = read_days([task.records for task in tasks], RATED_COLUMNS, zone, thresholds)
    whole = coded(seen, layers, np.repeat([_number(task.day) for task in tasks], counts).astype(np.uint16))
    ends = np.cumsum([0, *counts]).tolist()
    return [_write(task, partial_of(whole, layers, *ends[index : index + 2])) for index, task in enumerate(tasks)]


def _write(task: DayTask, partial: Partial) -> Summary:
    summary = _summary(task.day, partial, task.layers)
    fresh = task.target.with_name(f".{task.target.name}.{secrets.token_hex(4)}")
    fresh.mkdir(parents=True)
    shelf.put(fresh / shelf.AREA_TESTS, partial.area_tests, area_row(task.layers))
    shelf.put(fresh / shelf.STATION_TESTS, partial.station_tests, station_row())
    for file, names in ((shelf.OPERATORS, partial.operators), (shelf.STATIONS, partial.stations)):
        np.array(list(names.values()), np.uint64).tofile(fresh / file)
    np.save(fresh / "area_devices.npy", partial.area_devices)
    np.save(fresh / "station_devices.npy", partial.station_devices)
    (fresh / "summary.json").write_bytes(msgspec.json.encode(summary))
    try:
        os.rename(fresh, task.target)
    except OSError:  # another run was faster; its partial is the same
        shutil.rmtree(fresh)
    return summary


def forget(folder: Path, kept: Iterable[Path]) -> None:
    """Remove what is kept beside the partials, and partials, that this run has no use for."""
    names = {path.name for path in kept}
    for path in folder.glob("*"):
        if path.name not in names:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
