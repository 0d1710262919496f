"""Measurements as OpenCelliD's and Mozilla's collectors export them: one row is one look at one cell.

The tables of *cells* that the same projects publish hold estimated places of cells, no measurements: they are named and
passed over.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis.importers.account import Account
from analysis.importers.frames import finished, numbered, read_rows, refuse_unplaced
from analysis.importers.options import Options
from analysis.importers.ranges import column_range, leg_range, within
from measurement.radio import PLMNS
from measurement.vocabulary import Leg, Status, Technology

NAME = "opencellid"
TECHNOLOGIES = {
    **dict.fromkeys(("LTE", "LTE+", "LTE_CA", "4G"), Technology.LTE),
    **dict.fromkeys(("NR", "5G"), Technology.NR_SA),
    **dict.fromkeys(("UMTS", "HSPA", "HSPA+", "HSDPA", "HSUPA", "WCDMA"), Technology.UMTS),
    **dict.fromkeys(("GSM", "GPRS", "EDGE"), Technology.GSM),
}
_CELLS = (b"radio,mcc,net,area,cell,unit,lon,lat", b"radio,mcc,mnc,lac,cellid")


def _line(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].strip().lower()


def recognises(head: bytes) -> bool:
    """Say whether the first line is the header of a measurement export."""
    return {b"mcc", b"mnc", b"cellid", b"lat", b"lon", b"signal", b"measured_at"} <= set(_line(head).split(b","))


def is_cell_table(head: bytes) -> bool:
    """Say whether the first line is of a table of cells, with its header or without."""
    line = _line(head)
    if line.startswith(_CELLS):
        return True
    fields = line.split(b",")
    return len(fields) == 14 and fields[0] in (b"gsm", b"umts", b"lte", b"cdma", b"nr") and fields[1].isdigit()


def frame_of(files: Sequence[tuple[str, bytes]], options: Options, account: Account) -> pl.DataFrame:
    """Turn rows into records with one radio sample each."""
    raw = read_rows(files, options.probe_id or NAME, account)
    wanted = (
        "mcc",
        "mnc",
        "lac",
        "tac",
        "cellid",
        "lat",
        "lon",
        "signal",
        "measured_at",
        "rating",
        "speed",
        "act",
        "ta",
        "pci",
    )
    frame = raw.select(
        "noise", *(pl.col(n) if n in raw.columns else pl.lit(None, dtype=pl.String).alias(n) for n in wanted)
    )
    stamp = pl.col("measured_at").cast(pl.Int64, strict=False)
    milliseconds = pl.when(stamp > 10**11).then(stamp).otherwise(stamp * 1000)
    frame = frame.with_columns(
        started_at=milliseconds.cast(pl.Datetime("ms")).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        position_longitude_deg=pl.col("lon").cast(pl.Float64, strict=False),
        position_latitude_deg=pl.col("lat").cast(pl.Float64, strict=False),
    )
    frame = refuse_unplaced(frame, account)
    if frame.is_empty():
        return frame.select("started_at")
    frame = _network(numbered(frame), options)
    frame = _radio(frame, account)
    for field, column, name in (
        ("accuracy_m", "rating", "position_accuracy_m"),
        ("speed_mps", "speed", "position_speed_mps"),
    ):
        frame = frame.with_columns(pl.col(column).cast(pl.Float64, strict=False).alias(name))
        frame = within(frame, name, column_range(name), account, field)
    frame = frame.with_columns(position_source=pl.lit("gnss"), outcome_status=pl.lit(Status.COMPLETE.value))
    return finished(frame, NAME, options)


def _network(frame: pl.DataFrame, options: Options) -> pl.DataFrame:
    mcc, mnc = pl.col("mcc").str.zfill(3), pl.col("mnc").str.zfill(2)
    known = {p.mcc + p.mnc: p.operator for p in PLMNS}
    words = {name: technology.value for name, technology in TECHNOLOGIES.items()}
    is_plmn = mcc.str.contains(r"^[0-9]{3}$") & mnc.str.contains(r"^[0-9]{2,3}$")
    return frame.with_columns(
        network_mcc=pl.when(is_plmn).then(mcc),
        network_mnc=pl.when(is_plmn).then(mnc),
        network_operator=pl.coalesce(
            pl.lit(options.operator, dtype=pl.String), (mcc + mnc).replace_strict(known, default=None)
        ),
        network_technology=pl.col("act").str.to_uppercase().replace_strict(words, default=None),
    )


def _radio(frame: pl.DataFrame, account: Account) -> pl.DataFrame:
    is_lte = pl.col("network_technology") == Technology.LTE.value
    older = frame.filter(~is_lte.fill_null(False) & pl.col("signal").is_not_null()).height
    account.refuse_values("rsrp_dbm", "a level of another technology than LTE is no RSRP of the anchor", older)

    def whole(name: str) -> pl.Expr:
        return pl.when(is_lte).then(pl.col(name).cast(pl.Float64, strict=False).cast(pl.Int64, strict=False))

    frame = frame.with_columns(
        r_rsrp_dbm=pl.when(is_lte).then(pl.col("signal").cast(pl.Float64, strict=False)),
        r_cell_id=whole("cellid"),
        r_tac=pl.coalesce(whole("tac"), whole("lac")),
        r_pci=whole("pci"),
        r_timing_advance=whole("ta"),
    )
    for field in ("rsrp_dbm", "cell_id", "tac", "pci", "timing_advance"):
        frame = within(frame, f"r_{field}", leg_range(field, Leg.ANCHOR), account, field)
    return frame.with_columns((pl.col("r_cell_id") // 256).alias("r_base_station_id"))
