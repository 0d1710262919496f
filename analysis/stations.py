"""Read an archive for what its samples say of base stations."""

from __future__ import annotations

import polars as pl

from analysis import results
from analysis.base_stations import COLUMNS, base_station_facts, station_samples, thinned
from analysis.rate import Progress, silent
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive

_DAYS_AT_ONCE = 30


def read_facts(archive: Archive, progress: Progress = silent) -> pl.DataFrame:
    """Return the `bts_facts` table of an archive; samples are thinned as days go by, so that memory stays bounded."""
    stations = archive.base_stations()
    registry = {station.id: station for station in stations}
    zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
    kept: list[pl.DataFrame] = []
    seen: list[pl.DataFrame] = []
    with archive.snapshot() as snapshot:
        days = snapshot.days if registry else []
        for index, day in enumerate(days):
            samples = station_samples(snapshot.frame(day, COLUMNS), registry)
            seen.append(samples.group_by("base_station_id").agg(pl.len().cast(pl.Int64).alias("tests"), days=pl.lit(1)))
            kept.append(samples)
            if len(kept) >= _DAYS_AT_ONCE:
                kept = [thinned(pl.concat(kept))]
            progress("samples of base stations", index + 1, len(days))
    if not kept:
        return pl.DataFrame(schema=results.schema("bts_facts"))
    days_seen = pl.concat(seen).group_by("base_station_id").agg(pl.col("tests", "days").sum())
    return base_station_facts(thinned(pl.concat(kept)), days_seen, len(days), stations, zone)
