"""What tables have in common: rows read once, refused without time or place, numbered, with their radio sample."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis.importers.account import Account
from analysis.importers.identity import digests, uuid7s
from analysis.importers.options import Options
from archive.frames import DTYPES
from measurement.columns import Kind
from measurement.record import SCHEMA_VERSION
from measurement.vocabulary import Leg, Mode

SUMMARY = ("cell_id", "base_station_id", "pci", "tac", "arfcn", "band", "rsrp_dbm", "rsrq_db", "sinr_db")
_TELLING = ("rsrp_dbm", "rsrq_db", "sinr_db", "cell_id", "pci")
_IDENTITY = ("record_id", "started_at", "schema_version", "probe_id", "agent", "mode", "campaign", "organisation",
             "is_simulated", "radio")  # fmt: skip


def read_rows(
    files: Sequence[tuple[str, bytes]], salt: str, account: Account, absent: Sequence[str] = ("",)
) -> pl.DataFrame:
    """Read the rows of comma-separated parts with one header, each row once, all as text, with a digest of each.

    Raises
    ------
    ValueError
        Where headers differ or a quoted field breaks the rows.
    """
    header = b""
    rows: dict[bytes, None] = {}
    for _, content in files:
        first, *lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"").split(b"\n")
        header = header or first
        if first != header:
            raise ValueError("Invalid files. They have different headers.")
        filled = [line for line in lines if line and not line.isspace()]
        before = len(rows)
        rows.update(dict.fromkeys(filled))
        account.rows_read_count += len(filled)
        account.refuse_rows("the same line again", len(filled) - len(rows) + before)
    raw = pl.read_csv(
        b"\n".join((header, *rows)), infer_schema=False, truncate_ragged_lines=True, encoding="utf8-lossy",
        null_values=list(absent),
    )  # fmt: skip
    if raw.height != len(rows):
        raise ValueError(f"Invalid table. {len(rows)} lines, {raw.height} rows: a quote is not closed.")
    return raw.with_columns(noise=pl.Series(digests(rows, salt), dtype=pl.Binary))


def refuse_unplaced(frame: pl.DataFrame, account: Account) -> pl.DataFrame:
    """Drop and count rows without a time or a position."""
    x, y = pl.col("position_longitude_deg"), pl.col("position_latitude_deg")
    for reason, bad in (
        ("no readable time", pl.col("started_at").is_null()),
        ("no position", x.is_null() | y.is_null()),
        ("position out of range", ~(x.is_between(-180, 180) & y.is_between(-90, 90))),
        ("position 0, 0: no fix", (x == 0) & (y == 0)),
    ):
        before = frame.height
        frame = frame.filter(~bad.fill_null(False))
        account.refuse_rows(reason, before - frame.height)
    return frame


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """Give each row its record id."""
    return frame.with_columns(record_id=uuid7s(frame["started_at"].dt.epoch("ms"), frame["noise"].to_list()))


def sample_schema() -> dict[str, pl.DataType]:
    """Return name and dtype of each field of a radio sample."""
    return {field.name: field.dtype for field in DTYPES[Kind.RADIO].inner.fields}


def radio_columns(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    """Return the sample and the summary of the anchor from the columns `r_FIELD`."""
    constant = {"at_ms": 0.0, "leg": Leg.ANCHOR.value, "is_serving": True}
    fields = [
        pl.col(f"r_{n}").cast(d).alias(n) if f"r_{n}" in frame.columns else pl.lit(constant.get(n), dtype=d).alias(n)
        for n, d in sample_schema().items()
    ]
    telling = [pl.col(f"r_{n}").is_not_null() for n in _TELLING if f"r_{n}" in frame.columns]
    has_radio = pl.any_horizontal(telling) if telling else pl.lit(False)
    summary = {f"radio_anchor_{n}": pl.col(f"r_{n}") for n in SUMMARY if f"r_{n}" in frame.columns}
    return {"radio": pl.when(has_radio).then(pl.concat_list(pl.struct(fields))), **summary}


def finished(
    frame: pl.DataFrame,
    name: str,
    options: Options,
    probe_id: pl.Expr | None = None,
    is_simulated: pl.Expr | None = None,
) -> pl.DataFrame:
    """Add identity and radio, and keep the archive's columns."""
    done = frame.with_columns(
        **radio_columns(frame),
        schema_version=pl.lit(SCHEMA_VERSION),
        probe_id=pl.lit(options.probe_id or f"import-{name}") if probe_id is None else probe_id,
        agent=pl.lit(f"import/{name}"),
        mode=pl.lit(Mode.IMPORT.value),
        campaign=pl.lit(options.campaign, dtype=pl.String),
        organisation=pl.lit(options.organisation, dtype=pl.String),
        is_simulated=pl.lit(False) if is_simulated is None else is_simulated,
    )
    return done.select(*_IDENTITY, pl.col(r"^(position|network|latency|throughput|outcome|radio)_.+$"))
