"""What samples say of each base station beside its rating: range, path loss, overshoot, sectors, position, hours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.spatial import cKDTree

from analysis import results
from analysis.judge import ON_AIR_TESTS
from analysis.propagation import fit_path_loss, offsets_m, pattern_db
from analysis.registry import registry_findings
from measurement.geography import BaseStation

COLUMNS = (
    "record_id", "base_station_id", "started_at", "is_simulated", "flags", "position_longitude_deg",
    "position_latitude_deg", "position_accuracy_m", "position_is_mock", "probe_id", "throughput_downlink_goodput_bps",
    *(f"radio_{leg}_{name}" for leg in ("anchor", "nr") for name in ("cell_id", "pci", "rsrp_dbm")),
)  # fmt: skip

SAMPLES_A_STATION = 2000
"""Samples kept of a station: more add nothing to a fit, and memory stays bounded."""

OVERSHOOT_NEARER = 4
OVERSHOOT_SHARE = 0.10
"""A station overshoots where a tenth of its samples have four nearer ones of its operator (evidence D)."""

SECTOR_SAMPLES = 20
POSITION_LEAST_M = 1500.0
POSITION_TIMES = 4.0
"""A position is inconsistent beyond 1.5 km, and four times what is usual, from its strongest samples (evidence D)."""

Floats = npt.NDArray[np.float64]


def station_samples(frame: pl.DataFrame, registry: dict[str, BaseStation]) -> pl.DataFrame:
    """Return the usable samples of a day: placed within 50 m, matched, with the level of the station's own leg."""
    is_nr = pl.col("base_station_id").replace_strict(
        {key: station.technology == "nr" for key, station in registry.items()}, default=False, return_dtype=pl.Boolean
    )
    own = [
        pl.when(is_nr).then(pl.col(f"radio_nr_{name}")).otherwise(pl.col(f"radio_anchor_{name}")).alias(name)
        for name in ("cell_id", "pci", "rsrp_dbm")
    ]
    placed = (pl.col("position_accuracy_m").fill_null(0) <= 50) & ~pl.col("position_is_mock").fill_null(False)
    clean = pl.col("flags").list.len().fill_null(0) == 0
    known = pl.col("base_station_id").is_in(list(registry)) & pl.col("position_longitude_deg").is_not_null()
    return frame.filter(placed & clean & known).select(
        "base_station_id", "started_at", "is_simulated", "probe_id",
        pl.col("position_longitude_deg").alias("longitude_deg"), pl.col("position_latitude_deg").alias("latitude_deg"),
        pl.col("throughput_downlink_goodput_bps").alias("downlink_bps"), *own,
        pl.col("record_id").hash(0).alias("draw"),
    )  # fmt: skip


def thinned(samples: pl.DataFrame) -> pl.DataFrame:
    """Keep a fixed random part of each station's samples, whatever the order they came in."""
    return samples.sort("draw").group_by("base_station_id", maintain_order=True).head(SAMPLES_A_STATION)


def swapped_sectors(azimuths: Floats, bearing: Floats, sector: npt.NDArray[np.int64]) -> str:
    """Name the two sectors whose samples lie where the other's should; empty where none do.

    Examples
    --------
    >>> bearing = np.repeat([240.0, 120.0, 0.0], 30)
    >>> swapped_sectors(np.array([0.0, 120.0, 240.0]), bearing, np.repeat([0, 1, 2], 30))
    '1 and 3'
    """
    counts = np.bincount(sector, minlength=len(azimuths))

    def error(own: int, azimuth: float) -> float:
        off = (bearing[sector == own] - azimuth + 180) % 360 - 180
        return float(np.median(np.abs(off)))

    found: list[tuple[float, str]] = []
    for a, b in combinations(range(len(azimuths)), 2):
        if min(counts[a], counts[b]) < SECTOR_SAMPLES or abs((azimuths[a] - azimuths[b] + 180) % 360 - 180) < 60:
            continue
        as_is = max(error(a, azimuths[a]), error(b, azimuths[b]))
        least = min(error(a, azimuths[a]), error(b, azimuths[b]))
        turned = max(error(a, azimuths[b]), error(b, azimuths[a]))
        if least > 60 and turned < 45:
            found.append((as_is - turned, f"{a + 1} and {b + 1}"))
    return max(found)[1] if found else ""


def _sectors(station: BaseStation, cell_id: Any, pci: Any) -> npt.NDArray[np.int64]:
    """Return the sector of each sample by cell id, else PCI; -1 where it is not known."""
    sector = np.full(len(cell_id), -1)
    for values, names in ((pci, station.pcis), (cell_id, station.cell_ids)):
        if len(names) == len(station.azimuths_deg):
            for number, name in enumerate(names):
                sector[np.asarray(values) == name] = number
    return sector


def _hours(own: pl.DataFrame, zone: str) -> tuple[int | None, float | None]:
    hour = pl.col("started_at").dt.convert_time_zone(zone).dt.hour().alias("hour")
    by = own.drop_nulls("downlink_bps").group_by(hour).agg(pl.col("downlink_bps").median(), pl.len().alias("n"))
    by = by.filter(pl.col("n") >= 5).sort("downlink_bps", "hour")
    if by.height < 6:
        return None, None
    return int(by["hour"][0]), float(by["downlink_bps"][0] / by["downlink_bps"][-1])


def _describe(station: BaseStation, own: pl.DataFrame, zone: str) -> dict[str, Any]:
    east, north = offsets_m(own["longitude_deg"], own["latitude_deg"], station.longitude_deg, station.latitude_deg)
    distance, bearing = np.hypot(east, north), np.degrees(np.arctan2(east, north)) % 360
    level = own["rsrp_dbm"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = ~np.isnan(level)
    sector = _sectors(station, own["cell_id"].to_numpy(), own["pci"].to_numpy())
    azimuths = np.array(station.azimuths_deg)
    gain = np.zeros(len(level))
    placed = sector >= 0
    if placed.any():
        gain[placed] = pattern_db(bearing[placed], azimuths[sector[placed]])
    use = known & placed if (known & placed).sum() >= known.sum() / 2 and placed.any() else known
    fit = fit_path_loss(distance[use], level[use], gain[use])
    strong = known & (level >= np.nanpercentile(level, 90)) if known.sum() >= 10 else np.zeros(len(level), bool)
    offset = float(np.hypot(np.median(east[strong]), np.median(north[strong]))) if strong.any() else np.nan
    hour, load = _hours(own, zone)
    return {
        "base_station": station.id,
        "operator": station.operator,
        "registry_technology": station.technology,
        "samples_count": own.height,
        "devices_count": own["probe_id"].n_unique(),
        "range_p95_m": float(np.percentile(distance, 95)),
        "path_loss_exponent": fit.exponent,
        "path_loss_r2": fit.r2,
        "path_loss_sigma_db": fit.sigma_db,
        "is_pattern_removed": bool((use & placed).any()),
        "path_loss_unusable": fit.unusable,
        "swapped_sectors": swapped_sectors(azimuths, bearing[placed], sector[placed]) if placed.any() else "",
        "position_offset_m": offset,
        "last_seen": own["started_at"].max().strftime("%Y-%m-%dT%H:%M:%SZ"),  # type: ignore[union-attr]
        "busiest_hour": hour,
        "busiest_ratio": load,
        "is_simulated": bool(own["is_simulated"].any()),
    }


def overshoot_share(samples: pl.DataFrame, stations: Sequence[BaseStation]) -> dict[str, float]:
    """Return for each station the share of its samples with four nearer stations of its operator and technology."""
    found: dict[str, float] = {}
    by_fleet: dict[tuple[str, str], list[BaseStation]] = {}
    for station in stations:
        by_fleet.setdefault((station.operator, station.technology), []).append(station)
    for fleet in by_fleet.values():
        ids = {station.id: number for number, station in enumerate(fleet)}
        own = samples.filter(pl.col("base_station_id").is_in(list(ids)))
        if own.is_empty() or len(fleet) <= OVERSHOOT_NEARER:
            continue
        middle = (float(np.mean([s.longitude_deg for s in fleet])), float(np.mean([s.latitude_deg for s in fleet])))
        places = np.stack(offsets_m([s.longitude_deg for s in fleet], [s.latitude_deg for s in fleet], *middle), 1)
        points = np.stack(offsets_m(own["longitude_deg"], own["latitude_deg"], *middle), 1)
        number = own["base_station_id"].replace_strict(ids, return_dtype=pl.Int64).to_numpy()
        fourth, _ = cKDTree(places).query(points, k=[OVERSHOOT_NEARER])
        is_far = np.linalg.norm(points - places[number], axis=1) > fourth[:, 0] * (1 + 1e-9)
        shares = np.bincount(number, is_far, minlength=len(fleet)) / np.maximum(
            np.bincount(number, minlength=len(fleet)), 1
        )
        found |= {station.id: float(share) for station, share in zip(fleet, shares, strict=True)}
    return found


def base_station_facts(
    samples: pl.DataFrame, days_seen: pl.DataFrame, days: int, stations: Sequence[BaseStation], zone: str
) -> pl.DataFrame:
    """Return the `bts_facts` table.

    Parameters
    ----------
    samples
        Thinned samples of every station.
    days_seen
        base_station_id, days, tests: on how many days it was seen, and by how many tests.
    days
        Days of the archive.
    stations
        The registry.
    zone
        Time zone of the hours.
    """
    registry = {station.id: station for station in stations}
    rows = [
        _describe(registry[str(key)], own, zone)
        for (key,), own in samples.group_by("base_station_id", maintain_order=True)
        if key in registry
    ]
    faults = {f.id: f"{f.field} {f.value:g}" + (f" looks like {f.suggestion:g}" if f.suggestion is not None else "")
              + f": {f.reason}" for f in registry_findings(stations)}  # fmt: skip
    if not rows:
        return pl.DataFrame(schema=results.schema("bts_facts"))
    frame = pl.DataFrame(rows, infer_schema_length=None)
    usual = float(frame["position_offset_m"].fill_nan(None).median() or 0.0)  # type: ignore[arg-type]
    limit = max(POSITION_LEAST_M, POSITION_TIMES * usual)
    over = overshoot_share(samples, stations)
    seen = days_seen.rename({"base_station_id": "base_station"})
    offset = pl.col("position_offset_m")
    named = frame.join(seen, on="base_station", how="left").with_columns(
        pl.col("base_station").replace_strict(over, default=None, return_dtype=pl.Float64).alias("overshoot_share"),
        pl.col("base_station").replace_strict(faults, default="", return_dtype=pl.String).alias("registry_fault"),
        # A day without a test says nothing where a station has few of them.
        pl.when(pl.col("tests") >= ON_AIR_TESTS * days).then(pl.col("days") / days).alias("on_air_share"),
        pl.when(offset.is_nan()).then(pl.lit("unknown")).when(offset > limit).then(pl.lit("inconsistent"))
        .otherwise(pl.lit("consistent")).alias("position"),
    )  # fmt: skip
    named = named.with_columns((pl.col("overshoot_share") >= OVERSHOOT_SHARE).fill_null(False).alias("overshoots"))
    return results.shape("bts_facts", named.with_columns(pl.selectors.float().fill_nan(None))).sort("base_station")
