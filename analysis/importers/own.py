"""Our own CSV: columns named as the archive's, with units in their names. What is no column of ours is named and left.

`started_at`, `position_longitude_deg` and `position_latitude_deg` (or, as a drive is exported, `at`, `longitude_deg`,
`latitude_deg`) are needed; `record_id` is kept where it is a valid one.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis.importers.account import Account
from analysis.importers.frames import SUMMARY, finished, numbered, read_rows, refuse_unplaced
from analysis.importers.options import Options
from analysis.importers.ranges import column_range, leg_range, within
from archive.frames import DTYPES
from measurement.columns import BY_NAME, Kind
from measurement.vocabulary import Failure, Leg, Status, Technology

NAME = "csv"
# A drive's export names the same things shorter.
DRIVE = {
    "at": "started_at", "longitude_deg": "position_longitude_deg", "latitude_deg": "position_latitude_deg",
    "accuracy_m": "position_accuracy_m", "altitude_m": "position_altitude_m", "speed_mps": "position_speed_mps",
    "operator": "network_operator", "technology": "network_technology", "status": "outcome_status",
    "failure": "outcome_failure", "rtt_median_ms": "latency_idle_rtt_median_ms",
    "loss_ratio": "latency_idle_loss_ratio",
    "downlink_bps": "throughput_downlink_goodput_bps", "uplink_bps": "throughput_uplink_goodput_bps",
    **{name: f"radio_anchor_{name}" for name in SUMMARY},
}  # fmt: skip
_WORDS = {"network_technology": Technology, "outcome_status": Status, "outcome_failure": Failure}
_OURS = ("position_", "network_", "latency_", "throughput_", "outcome_")
_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


def recognises(head: bytes) -> bool:
    """Say whether the header has our time and our place."""
    line = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    names = {DRIVE.get(name, name) for name in line.split(",")}
    return {"started_at", "position_longitude_deg", "position_latitude_deg"} <= names


def frame_of(files: Sequence[tuple[str, bytes]], options: Options, account: Account) -> pl.DataFrame:
    """Turn rows into records; each value passes the range of its column."""
    raw = read_rows(files, options.probe_id or NAME, account)
    raw = raw.rename({name: DRIVE[name] for name in raw.columns if name in DRIVE and DRIVE[name] not in raw.columns})
    known = [
        n for n in raw.columns if n in BY_NAME and BY_NAME[n].kind in _KINDS and (n.startswith(_OURS) or n in _RADIO)
    ]
    for name in sorted(
        set(raw.columns) - set(known) - {"noise", "started_at", "record_id", "probe_id", "kind", "is_simulated", "leg"}
    ):
        account.refuse_values(name, "no column that is imported", raw[name].count())
    frame = raw.with_columns(
        *(_cast(name) for name in known),
        started_at=pl.col("started_at").str.to_datetime(time_unit="us", time_zone="UTC", strict=False),
    )
    frame = refuse_unplaced(frame, account)
    if frame.is_empty():
        return frame.select("started_at")
    for name in known:
        frame = within(frame, name, column_range(name), account, name)
        frame = _worded(frame, name, account)
    frame = _radio(frame, account)
    frame = _with_ids(frame)
    if "outcome_status" not in frame.columns:
        frame = frame.with_columns(outcome_status=pl.lit(None, dtype=pl.String))
    frame = frame.with_columns(pl.col("outcome_status").fill_null(Status.COMPLETE.value))
    told = pl.col("is_simulated").str.to_lowercase() if "is_simulated" in raw.columns else pl.lit(None, dtype=pl.String)
    frame = frame.with_columns(is_simulated=(told == "true").fill_null(False))
    probe_id = pl.col("probe_id") if "probe_id" in raw.columns and options.probe_id is None else None
    return finished(frame, NAME, options, probe_id, is_simulated=pl.col("is_simulated"))


_KINDS = (Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.BOOLEAN)
_RADIO = tuple(f"radio_anchor_{name}" for name in SUMMARY)


def _cast(name: str) -> pl.Expr:
    kind = BY_NAME[name].kind
    if kind is Kind.TEXT:
        return pl.col(name)
    if kind is Kind.BOOLEAN:
        return pl.col(name).str.to_lowercase().replace_strict({"true": True, "false": False}, default=None)
    return pl.col(name).cast(pl.Float64, strict=False).cast(DTYPES[kind], strict=False)


def _worded(frame: pl.DataFrame, name: str, account: Account) -> pl.DataFrame:
    """Null words that are none of a vocabulary."""
    if name not in _WORDS:
        return frame
    allowed = [word.value for word in _WORDS[name]]
    strange = frame.filter(~pl.col(name).is_in(allowed))[name]
    for word, count in strange.value_counts().iter_rows():
        account.refuse_values(name, f"{word!r} is no word of the record", count)
    return frame.with_columns(pl.when(pl.col(name).is_in(allowed)).then(name))


def _radio(frame: pl.DataFrame, account: Account) -> pl.DataFrame:
    for field in SUMMARY:
        column = f"radio_anchor_{field}"
        if column in frame.columns:
            frame = frame.rename({column: f"r_{field}"})
            frame = within(frame, f"r_{field}", leg_range(field, Leg.ANCHOR), account, field)
    return frame


def _with_ids(frame: pl.DataFrame) -> pl.DataFrame:
    given = pl.col("record_id") if "record_id" in frame.columns else pl.lit(None, dtype=pl.String)
    frame = numbered(frame.with_columns(given=given))
    return frame.with_columns(record_id=pl.when(pl.col("given").str.contains(_ID)).then("given").otherwise("record_id"))
