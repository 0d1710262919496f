"""Records of one day as observations: who, where, when, and the value of every KPI. One row a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis.technology import BASIC, CLASSES
from analysis.thresholds import Thresholds
from archive import blocks
from archive.frames import schema
from archive.snapshot import Segment, Snapshot, read_segment, read_segments
from measurement.columns import area_column
from measurement.kpi import KPIS
from measurement.radio import PLMNS

BASE_COLUMNS = (
    "probe_id", "organisation", "mode", "campaign", "started_at", "is_simulated", "flags", "h3_cell",
    "outcome_status", "outcome_failure", "outcome_operation", "device_limited_by",
    "position_longitude_deg", "position_latitude_deg", "position_accuracy_m", "position_is_mock",
    "network_operator", "network_mcc", "network_mnc", "network_is_roaming", "network_technology",
    "base_station_id",
    "radio_anchor_cell_id", "radio_nr_cell_id", "radio_anchor_rsrp_dbm", "radio_anchor_rsrq_db", "radio_anchor_sinr_db",
    "radio_nr_rsrp_dbm", "radio_nr_rsrq_db", "radio_nr_sinr_db",
    *(kpi.column for kpi in KPIS if kpi.column and not kpi.column.startswith("radio_")),
)  # fmt: skip
"""Archive columns an observation is made of."""

_KEPT = (
    "probe_id", "organisation", "mode", "campaign", "started_at", "is_simulated", "flags", "h3_cell",
    "outcome_failure", "device_limited_by", "position_longitude_deg", "position_latitude_deg", "position_accuracy_m",
    "position_is_mock", "network_is_roaming",
)  # fmt: skip

_BESIDE = ("organisation", "mode", "campaign", "position_longitude_deg", "position_latitude_deg")
RATED_COLUMNS = tuple(name for name in BASE_COLUMNS if name not in _BESIDE)
"""What a rating needs of them."""

_ACCESS = ("attach", "resolve", "connect", "tls_handshake")
_FIVE_G = pl.col("technology") == "5g"
_FAILED = pl.col("outcome_status") == "failed"


def _completed(frame: pl.DataFrame, column: str, otherwise: pl.Expr) -> pl.Series:
    """Return a column, and where it is null what an expression says: worked out for those few rows only."""
    known = frame[column]
    missing = known.is_null().arg_true()
    return known.scatter(missing, frame[missing].select(otherwise).to_series()) if len(missing) else known


def _operator_of_plmn() -> pl.Expr:
    """Return the operator as its PLMN says."""
    names = {f"{plmn.mcc}{plmn.mnc}": plmn.operator for plmn in PLMNS}
    plmn = pl.col("network_mcc") + pl.col("network_mnc")
    return plmn.replace_strict(names, default=None, return_dtype=pl.String)


def _technology(frame: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """Return class, floor and coverage limit; a test that found no service at all counts against the basic class."""
    names = list(dict.fromkeys(CLASSES.values()))
    number = pl.col("network_technology").cast(pl.Enum([str(own) for own in CLASSES]), strict=False).to_physical()
    lost = (pl.col("outcome_failure") == "no_service").fill_null(False)
    own = frame.select(number.fill_null(pl.when(lost).then(len(CLASSES)).otherwise(len(CLASSES) + 1))).to_series()
    # Looked up by number: names would be compared once for each of the three.
    class_of = np.array([*(names.index(own) for own in CLASSES.values()), names.index(BASIC), len(names)])
    index = class_of[own.to_numpy()]
    held: dict[str, pl.Series] = {"technology": pl.Series([*names, None], dtype=pl.String).gather(index)}
    for limit, by_name in (("_floor_bps", thresholds.floor_bps), ("_covered_dbm", thresholds.covered_dbm)):
        values = pl.Series([by_name.get(name) for name in [*names, ""]], dtype=pl.Float64)
        held[limit] = values.gather(index)
    return pl.DataFrame(held)


def _cell() -> pl.Expr:
    """Return the cell that served, for where the registry knows no base station: `cell-<PLMN>-<ECI or NCI>`."""
    cell = pl.coalesce(pl.when(_FIVE_G).then(pl.col("radio_nr_cell_id")), "radio_anchor_cell_id")
    plmn = (pl.col("network_mcc") + pl.col("network_mnc")).fill_null("unknown")
    return pl.format("cell-{}-{}", plmn, cell)


def _leg(name: str) -> pl.Expr:
    """Return the level of the rated leg: NR on 5G, the anchor elsewhere."""
    return pl.when(_FIVE_G).then(pl.col(f"radio_nr_{name}")).otherwise(pl.col(f"radio_anchor_{name}"))


def _kpis() -> dict[str, pl.Expr]:
    """Return the expression of every KPI of `measurement.kpi`."""
    tried = (
        pl.any_horizontal(
            pl.col(c).is_not_null()
            for c in (
                "throughput_downlink_goodput_bps",
                "throughput_uplink_goodput_bps",
                "latency_idle_rtt_median_ms",
                "access_connect_ms",
            )
        )
        | _FAILED
    )
    at = pl.col("outcome_operation")
    refused = (_FAILED & (at.is_in(_ACCESS) | at.is_null())).fill_null(False)
    cut = (pl.col("outcome_status").is_in(("failed", "partial")) & (at == "transfer")).fill_null(False)
    moved = pl.any_horizontal(pl.col(f"throughput_{d}_goodput_bps").is_not_null() for d in ("downlink", "uplink"))
    speed = pl.col("throughput_downlink_goodput_bps")
    lost = (pl.col("outcome_failure") == "no_service").fill_null(False)
    covered = _leg("rsrp_dbm") >= pl.col("_covered_dbm")
    counted = {
        "access_failure": pl.when(tried).then(refused.cast(pl.Float64)),
        "drop": pl.when(moved | cut).then(cut.cast(pl.Float64)),
        "floor_share": (speed >= pl.col("_floor_bps")).cast(pl.Float64),
        "coverage_share": pl.when(lost).then(0.0).otherwise(covered.cast(pl.Float64)),
        "rsrp": _leg("rsrp_dbm"),
        "rsrq": _leg("rsrq_db"),
        "sinr": _leg("sinr_db"),
    }
    return {kpi.id: counted[kpi.id] if kpi.id in counted else pl.col(kpi.column) for kpi in KPIS}


def observe(frame: pl.DataFrame, layers: Sequence[str], zone: str, thresholds: Thresholds) -> pl.DataFrame:
    """Turn archive rows into observations.

    Parameters
    ----------
    frame
        Rows with `RATED_COLUMNS` (better `BASE_COLUMNS`) and the layers' columns.
    layers
        Keys of the layers.
    zone
        Time zone of the civil day and hour.
    thresholds
        Floors and coverage limits of the country.

    Returns
    -------
    One row a record: identity, place, operator, technology (class), base_station, hour (local), and one column a KPI,
    by its id.
    """
    operator = _completed(frame, "network_operator", _operator_of_plmn()).alias("operator")
    named = frame.with_columns(operator, *_technology(frame, thresholds))
    station = _completed(named, "base_station_id", _cell()).alias("base_station")
    hour = pl.col("started_at").dt.convert_time_zone(zone).dt.hour().alias("hour")
    kept = [name for name in _KEPT if name in named.columns]
    values = (value.cast(pl.Float64).alias(kpi) for kpi, value in _kpis().items())
    return named.select(
        *kept, "operator", "technology", station, hour,
        *(area_column(layer) for layer in layers), *values,
    )  # fmt: skip


class DayRecords(NamedTuple):
    """The records of one civil day, light enough to send to another process: segment files and hot blocks."""

    day: str
    segments: list[Segment]
    blocks: list[bytes]
    layers: list[str]

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """Read the named archive columns."""
        wanted = schema(self.layers)
        parts = [pl.DataFrame(schema={name: wanted[name] for name in columns})]
        parts += [read_segment(segment.path, columns, wanted) for segment in self.segments]
        if self.blocks:
            parts.append(blocks.frame(self.blocks, self.layers).select(columns))
        return pl.concat(parts)


def day_records(snapshot: Snapshot, day: str) -> DayRecords:
    """Return what a snapshot holds of one civil day."""
    segments = [segment for segment in snapshot.segments if segment.day == day]
    blocks = list(snapshot.hot_blocks(day)) if day in snapshot.hot_counts else []
    return DayRecords(day, segments, blocks, list(snapshot.layers))


def read_day(records: DayRecords, zone: str, thresholds: Thresholds) -> pl.DataFrame:
    """Read one civil day of an archive as observations."""
    return read_days([records], BASE_COLUMNS, zone, thresholds)[0]


def read_days(
    days: Sequence[DayRecords], columns: Sequence[str], zone: str, thresholds: Thresholds
) -> tuple[pl.DataFrame, list[int]]:
    """Read some civil days of an archive as observations, one after the other, and how many each has."""
    layers = days[0].layers
    names = [*columns, *(area_column(layer) for layer in layers)]
    if any(records.blocks for records in days):
        frames = [records.frame(names) for records in days]
        return observe(pl.concat(frames), layers, zone, thresholds), [len(frame) for frame in frames]
    segments = [segment for records in days for segment in records.segments]
    whole = read_segments([segment.path for segment in segments], names, schema(layers))
    counts = [sum(segment.row_count for segment in records.segments) for records in days]
    return observe(whole, layers, zone, thresholds), counts
