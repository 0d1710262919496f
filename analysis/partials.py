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
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import observations, partition, quantisation, rules, technology
from analysis.observations import DayRecords, day_records, read_day
from analysis.partition import NO_AREA, Partial, partial_of
from analysis.thresholds import Thresholds
from archive.snapshot import Snapshot
from measurement.columns import area_column

FOLDER = "results/.partials"
_CODE = (observations, partition, quantisation, rules, technology)
_TABLES = ("area_rows", "station_rows", "area_devices", "station_devices")


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


class Units(NamedTuple):
    """Units of devices: `key` is period << 32 | device, ascending."""

    key: npt.NDArray[np.int64]
    units: npt.NDArray[np.float32]

    def of(self, period: npt.NDArray[np.int64], device: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
        """Return the units of the device of each row in its period."""
        index = np.searchsorted(self.key, period << 32 | device.astype(np.int64))
        return self.units[index]


def code_digest() -> str:
    """Return a digest of the code of the steps and of the library that hashes names."""
    digest = hashlib.sha256(pl.__version__.encode())
    for module in _CODE:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def day_tasks(
    root: Path, snapshot: Snapshot, layers: Mapping[str, Sequence[str]], zone: str, thresholds: Thresholds
) -> list[DayTask]:
    """Return the task of each day of a snapshot, keyed by content."""
    shared = hashlib.sha256(code_digest().encode())
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
        index = partial.area_rows[area_column(layer)].to_numpy()
        counts[layer] = np.bincount(index[index != NO_AREA], minlength=len(areas)).tolist()
    return Summary(
        day,
        [(scope, reason, count) for scope, reason, count in partial.exclusions.iter_rows()],
        dict(partial.operators.iter_rows()),
        dict(partial.stations.iter_rows()),
        counts,
    )


def build(task: DayTask) -> Summary:
    """Make the partial of a day, or find it, and return its summary."""
    said = task.target / "summary.json"
    if said.is_file():
        return msgspec.json.decode(said.read_bytes(), type=Summary)
    seen = read_day(task.records, task.zone, task.thresholds)
    partial = partial_of(seen, task.layers, date.fromisoformat(task.day).toordinal() - date(1970, 1, 1).toordinal())
    summary = _summary(task.day, partial, task.layers)
    fresh = task.target.with_name(f".{task.target.name}.{secrets.token_hex(4)}")
    fresh.mkdir(parents=True)
    for name in _TABLES:
        getattr(partial, name).write_ipc(fresh / f"{name}.arrow")
    (fresh / "summary.json").write_bytes(msgspec.json.encode(summary))
    try:
        os.rename(fresh, task.target)
    except OSError:  # another run was faster; its partial is the same
        shutil.rmtree(fresh)
    return summary


def device_units(tasks: Sequence[DayTask], scope: str, periods: Sequence[int]) -> Units:
    """Return the number of units of every device in every period: what its one vote is divided over.

    Parameters
    ----------
    tasks
        Days whose partials are made.
    scope
        area or station.
    periods
        Period of each of them.
    """
    frames = [
        pl.read_ipc(task.target / f"{scope}_devices.arrow").with_columns(pl.lit(period, pl.Int64).alias("period"))
        for task, period in zip(tasks, periods, strict=True)
    ]
    # In the order of days, so that the sums are the same to the bit wherever they are made.
    whole = pl.concat(frames).group_by("period", "device", maintain_order=True).agg(pl.col("units").sum())
    key = whole.select(pl.col("period") * 2**32 + pl.col("device").cast(pl.Int64)).to_series().to_numpy()
    order = np.argsort(key)
    return Units(key[order], whole["units"].to_numpy()[order])


def forget(root: Path, kept: Sequence[DayTask]) -> None:
    """Remove partials that this run has no use for."""
    names = {task.target.name for task in kept}
    for path in (root / FOLDER).glob("*"):
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)
