"""G-NetTrack Pro logs and its table of active tests (Gyokov Solutions), as exported by several versions of the app.

One row of a log is one record with one radio sample. The levels are the anchor's: on 5G NSA the app reads the LTE cell
(Raca et al., MMSys 2020). On 3G the level is RSCP and on 2G RxLev, which are no RSRP: they are left out. A row without
service is a failed record, since coverage is a regulated figure. A row of `*_datatest` is one test.

Bitrates in a log are what an application did, not what the network could: they become throughput only where the user
says that a download ran all the time (`saturated`), as means over ten seconds of the State D.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch

import polars as pl

from analysis.importers.account import Account
from analysis.importers.frames import finished, numbered, refuse_unplaced
from analysis.importers.gnettrack_columns import ABSENT, ALIASES, LTE_LIKE, NO_SERVICE, TECHNOLOGIES
from analysis.importers.gnettrack_results import with_results
from analysis.importers.identity import digests
from analysis.importers.options import Options
from analysis.importers.ranges import column_range, leg_range, within
from measurement.radio import PLMNS
from measurement.vocabulary import Failure, Leg, Operation, Status

NAME = "gnettrack"


def recognises(head: bytes) -> bool:
    """Say whether the first bytes are those of a G-NetTrack log or table of tests."""
    names = _names(head)
    is_ours = {"Timestamp", "Longitude", "Latitude"} <= names and bool(names & {"NetworkTech", "NetworkMode"})
    return is_ours and "EventType" not in names


def is_beside_the_point(head: bytes) -> bool:
    """Say whether the first bytes are those of the app's list of events or of its counts of calls."""
    names = _names(head)
    return {"Timestamp", "EventType"} <= names or names == {"Event", "Stats"}


def _names(head: bytes) -> set[str]:
    line = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    return set(line.split("\t" if "\t" in line else ","))


def frame_of(files: Sequence[tuple[str, bytes]], options: Options, account: Account) -> pl.DataFrame:
    """Turn the contents of named files (or of parts that begin with the header) into archive columns.

    All must have the same header. What is refused is counted in the account.
    """
    header = b""
    rows: dict[bytes, int] = {}
    for index, (_, content) in enumerate(files):
        first, *lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"").split(b"\n")
        header = header or first
        if first != header:
            raise ValueError("Invalid files. They have different headers.")
        filled = [line for line in lines if line and not line.isspace()]
        account.rows_read_count += len(filled)
        before = len(rows)
        for line in filled:
            rows.setdefault(line, index)
        account.refuse_rows("the same line again", len(filled) - len(rows) + before)
    raw = _read(header, list(rows))
    if len(raw) != len(rows):
        raise ValueError(f"Invalid log. {len(rows)} lines, {len(raw)} rows.")
    saturated = [options.saturated is not None and fnmatch(name, options.saturated) for name, _ in files]
    source = pl.Series(rows.values(), dtype=pl.Int32)
    frame = _named(raw).with_columns(
        noise=pl.Series(digests(rows, options.probe_id or NAME), dtype=pl.Binary),
        source=source,
        is_saturated=source.replace_strict(list(range(len(saturated))), saturated, return_dtype=pl.Boolean),
    )
    frame = _placed_in_time(frame, options.time_zone, account)
    if frame.is_empty():
        return frame.clear().select("started_at")
    frame = _identified(frame, options, account)
    frame = _radio(frame, account)
    frame = _position(frame, account)
    frame = with_results(frame, options, account)
    return _finished(frame, options)


def _read(header: bytes, lines: list[bytes]) -> pl.DataFrame:
    separator = "\t" if b"\t" in header else ","
    return pl.read_csv(
        b"\n".join((header, *lines)),
        separator=separator,
        infer_schema=False,
        truncate_ragged_lines=True,
        quote_char=None,
        encoding="utf8-lossy",
        null_values=list(ABSENT),
    )


def _named(raw: pl.DataFrame) -> pl.DataFrame:
    found = {
        name: next((alias for alias in aliases if alias in raw.columns), None) for name, aliases in ALIASES.items()
    }
    columns = [
        pl.col(alias).alias(name) if alias else pl.lit(None, dtype=pl.String).alias(name)
        for name, alias in found.items()
    ]
    return raw.select("Timestamp", "Longitude", "Latitude", *columns)


def _placed_in_time(frame: pl.DataFrame, zone: str, account: Account) -> pl.DataFrame:
    local = pl.col("Timestamp").str.to_datetime("%Y.%m.%d_%H.%M.%S", strict=False, time_unit="us")
    utc = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    frame = frame.with_columns(
        started_at=utc,
        position_longitude_deg=pl.col("Longitude").cast(pl.Float64, strict=False),
        position_latitude_deg=pl.col("Latitude").cast(pl.Float64, strict=False),
    )
    return refuse_unplaced(frame, account)


def _identified(frame: pl.DataFrame, options: Options, account: Account) -> pl.DataFrame:
    words = {name: technology.value for name, technology in TECHNOLOGIES.items()}
    known = {p.mcc + p.mnc: p.operator for p in PLMNS}
    plmn = pl.coalesce(_plmn("plmn"), _plmn("operator"))
    text = pl.col("operator")
    name = pl.when(~text.is_in([*NO_SERVICE, "0"]) & _plmn("operator").is_null()).then(text)
    # The same operator is written in several ways: the table's spelling wins.
    spelt = name.str.to_lowercase().replace_strict({p.operator.lower(): p.operator for p in PLMNS}, default=None)
    frame = numbered(frame).with_columns(
        network_technology=pl.col("technology").replace_strict(words, default=None),
        is_without_service=pl.col("technology").is_in(NO_SERVICE).fill_null(False),
        network_mcc=plmn.str.slice(0, 3),
        network_mnc=plmn.str.slice(3),
        network_operator=pl.coalesce(pl.lit(options.operator), plmn.replace_strict(known, default=None), spelt, name),
    )
    strange = frame.filter(
        pl.col("network_technology").is_null() & ~pl.col("is_without_service") & pl.col("technology").is_not_null()
    )
    for word, count in strange["technology"].value_counts().iter_rows():
        account.refuse_values("technology", f"{word!r} is no word of the app", count)
    # Without service the phone may name no operator: it is the one of the rest of the file, where there is one only.
    only = pl.col("network_operator").drop_nulls()
    sole = pl.when(only.n_unique().over("source") == 1).then(only.first().over("source"))
    return frame.with_columns(
        network_operator=pl.when(pl.col("network_mcc").is_null())
        .then(pl.coalesce("network_operator", sole))
        .otherwise("network_operator")
    )


def _plmn(column: str) -> pl.Expr:
    text = pl.col(column)
    return pl.when(text.str.contains(r"^[0-9]{5,6}$")).then(text)


def _radio(frame: pl.DataFrame, account: Account) -> pl.DataFrame:
    is_lte_like = pl.col("network_technology").is_in(LTE_LIKE)
    older = frame.filter(~is_lte_like.fill_null(False))
    for field, column, what in (
        ("rsrp_dbm", "rsrp", "a level of 2G, 3G or no service is no RSRP"),
        ("rsrq_db", "rsrq", "a quality of 2G, 3G or no service is no RSRQ"),
        ("sinr_db", "sinr", "a ratio of 2G, 3G or no service is no SINR"),
    ):
        account.refuse_values(field, what, older[column].count())
    real = {"rsrp_dbm": "rsrp", "rsrq_db": "rsrq", "sinr_db": "sinr", "rssi_dbm": "rssi"}
    whole = {"cqi": "cqi", "arfcn": "arfcn", "pci": "pci", "timing_advance": "ta"}
    tac = pl.coalesce(_integer("tac"), pl.col("tac_hex").str.to_integer(base=16, strict=False))
    node, cell = _integer("node"), _integer("cell")
    joined = pl.when((node > 0) & cell.is_between(0, 255)).then(node * 256 + cell)
    frame = frame.with_columns(
        *(
            pl.when(is_lte_like).then(pl.col(old).cast(pl.Float64, strict=False)).alias(f"r_{new}")
            for new, old in real.items()
        ),
        *(pl.when(is_lte_like).then(_integer(old)).alias(f"r_{new}") for new, old in whole.items()),
        pl.when(is_lte_like).then(tac).alias("r_tac"),
        pl.when(is_lte_like).then(pl.coalesce(_integer("raw_cell"), joined)).alias("r_cell_id"),
        pl.when(is_lte_like).then(pl.col("band").str.extract(r"(\d+)$").cast(pl.Int64, strict=False)).alias("r_band"),
    )
    frame = _without_constant_sinr(frame, account)
    for field in (*real, *whole, "tac", "cell_id"):
        frame = within(frame, f"r_{field}", leg_range(field, Leg.ANCHOR), account, field)
    return frame.with_columns((pl.col("r_cell_id") // 256).alias("r_base_station_id"))


def _without_constant_sinr(frame: pl.DataFrame, account: Account) -> pl.DataFrame:
    """Drop a SINR that is the same in a file's every row, a hundred or more: that phone cannot read it."""
    known = pl.col("r_sinr_db").drop_nulls()
    constant = (known.n_unique().over("source") == 1) & (known.len().over("source") >= 100)
    frame = frame.with_columns(constant=constant & pl.col("r_sinr_db").is_not_null())
    for value, count in frame.filter("constant")["r_sinr_db"].value_counts().iter_rows():
        account.refuse_values("sinr_db", f"{value:g} in every row of a file: the phone does not report it", count)
    return frame.with_columns(r_sinr_db=pl.when(~pl.col("constant")).then("r_sinr_db"))


def _integer(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)


def _position(frame: pl.DataFrame, account: Account) -> pl.DataFrame:
    frame = frame.with_columns(
        position_speed_mps=pl.col("speed_kmh").cast(pl.Float64, strict=False) / 3.6,
        position_altitude_m=pl.col("altitude").cast(pl.Float64, strict=False),
        position_accuracy_m=pl.col("accuracy").cast(pl.Float64, strict=False),
        position_source=pl.lit("gnss"),
    )
    for name in ("position_speed_mps", "position_altitude_m", "position_accuracy_m"):
        frame = within(frame, name, column_range(name), account, name)
    moving = pl.col("position_speed_mps") >= 1.5
    return frame.with_columns(
        position_environment=pl.when(moving).then(pl.lit("outdoor_moving")).otherwise(pl.lit(None, dtype=pl.String))
    )


def _finished(frame: pl.DataFrame, options: Options) -> pl.DataFrame:
    """Add the outcome and finish the records."""
    no_service = pl.col("is_without_service")
    stalled = (pl.col("throughput_downlink_goodput_bps") == 0) | (pl.col("throughput_uplink_goodput_bps") == 0)
    dead = stalled & ~(pl.col("throughput_downlink_goodput_bps") > 0).fill_null(False)
    lost = pl.col("latency_idle_loss_ratio") == 1
    failure = (
        pl.when(no_service).then(pl.lit(Failure.NO_SERVICE.value))
        .when(stalled).then(pl.lit(Failure.TRANSFER_STALLED.value))
        .when(lost).then(pl.lit(Failure.GENERIC_TIMEOUT_ERROR.value))
    )  # fmt: skip
    status = (
        pl.when(no_service | dead).then(pl.lit(Status.FAILED.value))
        .when(stalled | lost).then(pl.lit(Status.PARTIAL.value))
        .otherwise(pl.lit(Status.COMPLETE.value))
    )  # fmt: skip
    operation = (
        pl.when(no_service).then(pl.lit(Operation.ATTACH.value))
        .when(stalled).then(pl.lit(Operation.TRANSFER.value))
        .when(lost).then(pl.lit(Operation.ECHO.value))
    )  # fmt: skip
    done = frame.with_columns(outcome_status=status, outcome_failure=failure, outcome_operation=operation)
    return finished(done, NAME, options, _probe_id(options))


def _probe_id(options: Options) -> pl.Expr:
    slug = pl.col("network_operator").fill_null("unknown").str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "-")
    return pl.lit(options.probe_id) if options.probe_id else pl.concat_str(pl.lit(f"{NAME}-"), slug).str.slice(0, 64)
