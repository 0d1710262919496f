"""The rolling state: for each of the last eight weeks' days the few columns that detection needs, kept by content."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from analysis import rules
from analysis.observations import BASE_COLUMNS, DayRecords, day_records, observe
from analysis.thresholds import Thresholds
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.columns import area_column

FOLDER = "state/degraded"
WEEKS = 8
"""Weeks of the baseline: enough for eight values of each hour of the week, short enough to follow a season."""

KPIS = ("downlink", "uplink", "latency", "access_failure")


def columns(layers: Sequence[str]) -> list[str]:
    """Return the names of the columns of the state."""
    return [
        "started_at", "hour", "probe_id", "server", "operator", "technology", "base_station", "h3_cell",
        "is_simulated", *(area_column(layer) for layer in layers), *KPIS,
    ]  # fmt: skip


def _key(records: DayRecords) -> str:
    key = hashlib.sha256(f"3 {records.day} {records.layers}".encode())
    for segment in records.segments:
        key.update(segment.sha256.encode())
    for block in records.blocks:
        key.update(hashlib.sha256(block).digest())
    return key.hexdigest()[:24]


def compact(records: DayRecords, zone: str, limits: Thresholds) -> pl.DataFrame:
    """Read one day: cleaned, with the place an area needs, one row a record."""
    layers = records.layers
    areas = [area_column(layer) for layer in layers]
    raw = records.frame([*BASE_COLUMNS, "server_host", *areas])
    seen = observe(raw, layers, zone, limits).with_columns(raw["server_host"].alias("server"))
    local = pl.col("started_at").dt.convert_time_zone(zone)
    hour_of_week = (local.dt.weekday().cast(pl.Int16) - 1) * 24 + local.dt.hour().cast(pl.Int16)
    kept = seen.with_columns(
        rules.reason(rules.AREA).alias("reason"),
        hour_of_week.alias("hour"),
        pl.col("is_simulated").fill_null(False),
    ).filter(pl.col("reason").is_null())
    return kept.select(columns(layers))


def _kept(path: Path, records: DayRecords, zone: str, limits: Thresholds) -> Path:
    """Write one day's state where it is not there yet."""
    if not path.is_file():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        compact(records, zone, limits).write_ipc(fresh, compression="zstd")
        fresh.replace(path)
    return path


def files(
    archive: Archive,
    today: date,
    limits: Thresholds,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> dict[date, Path]:
    """Bring the state of the eight weeks that end with `today` up to date; return its file of each day.

    A file's name changes with the day's records; only days that changed are read.
    """
    zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
    folder = archive.path / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    first = (today - timedelta(7 * WEEKS)).isoformat()
    found = {}
    with archive.snapshot() as snapshot:
        days = [day for day in snapshot.days if first <= day <= today.isoformat()]
        for done, day in enumerate(days, 1):
            records = day_records(snapshot, day)
            found[date.fromisoformat(day)] = _kept(folder / f"{day}-{_key(records)}.arrow", records, zone, limits)
            progress("days", done, len(days))
    used = set(found.values())
    for path in folder.glob("*.arrow"):
        if path not in used:
            path.unlink(missing_ok=True)
    return found


def read(paths: Iterable[Path]) -> pl.DataFrame | None:
    """Read days of the state; None where there are none."""
    parts = [pl.read_ipc(path) for path in paths]
    return pl.concat(parts) if parts else None
