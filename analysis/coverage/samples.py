"""The located values of an archive, cleaned for maps, as columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from analysis import rules
from analysis.observations import day_records, read_day
from analysis.technology import MOBILE
from analysis.thresholds import Thresholds
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive

COLUMNS = (
    "probe_id", "started_at", "is_simulated", "outcome_failure", "h3_cell",
    "position_longitude_deg", "position_latitude_deg",
    "operator", "technology", "base_station", "rsrp", "sinr", "downlink", "access_failure",
)  # fmt: skip


class Located(NamedTuple):
    """Cleaned records that have a place, and how many each rule left out."""

    rows: pl.DataFrame
    excluded: dict[str, int]


def located(
    archive: Archive,
    limits: Thresholds,
    days: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Located:
    """Read the records of some days (all by default) that may stand on a map."""  # fmt: skip
    zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
    parts: list[pl.DataFrame] = []
    excluded: dict[str, int] = {}
    with archive.snapshot() as snapshot:
        wanted = [day for day in snapshot.days if days is None or day in days]
        for done, day in enumerate(wanted, 1):
            seen = read_day(day_records(snapshot, day), zone, limits)
            judged = seen.with_columns(rules.reason(rules.GRID).alias("reason"))
            for reason, count in judged["reason"].drop_nulls().value_counts().iter_rows():
                excluded[reason] = excluded.get(reason, 0) + count
            kept = judged.filter(pl.col("reason").is_null() & pl.col("technology").is_in(MOBILE))
            parts.append(kept.select(COLUMNS).with_columns(pl.col("probe_id", "base_station").cast(pl.Categorical)))
            progress("days", done, len(wanted))
    rows = pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.Float64))
    return Located(rows.drop_nulls(["position_longitude_deg", "position_latitude_deg"]), excluded)
