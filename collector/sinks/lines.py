"""Records and ratings as InfluxDB line protocol, whole frames at a time.

One measurement `test` holds the records. Tags are what dashboards group by and what stays few: areas, operator,
technology, mode, probe, whether simulated. Everything else is a field under its archive name: ids, cells and
coordinates would make a series each. A point is the same point when it comes twice: its time is the start of the test
with the last three digits of the nanosecond taken from `record_id`, its tags come from the record. How many series that
makes stands in docs/influxdb.md.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from measurement.columns import COLUMNS, Kind

TEST = "test"
RATING = "rating"
TAGS = ("network_operator", "network_technology", "mode", "probe_id", "is_simulated")
"""Tags beside one for each layer of areas."""

LEFT_OUT = frozenset({"started_at", "schema_version", "agent"})
"""Fields that no query asks of InfluxDB; the archive keeps them."""

FIELDS: tuple[str, ...] = tuple(
    column.name
    for column in COLUMNS
    if column.name not in LEFT_OUT
    and column.name not in TAGS
    and column.kind in (Kind.TEXT, Kind.INTEGER, Kind.REAL, Kind.BOOLEAN, Kind.CELL)
)
RATING_TAGS = ("layer", "area", "operator", "technology", "kpi", "statistic", "status", "grade")
RATING_FIELDS = (
    "value",
    "low",
    "high",
    "samples_count",
    "devices_count",
    "effective_count",
    "needed_count",
    "rank_low",
    "rank_high",
)


def _tag(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name).cast(pl.String) if dtype != pl.Boolean else _boolean(name)
    escaped = text.str.replace_all(r"[\r\n]", " ").str.replace_all(r"([,= ])", r"\$1").str.strip_suffix("\\")
    return pl.when(escaped.str.len_bytes() > 0).then(pl.lit(f",{name}=") + escaped).otherwise(pl.lit(""))


def _boolean(name: str) -> pl.Expr:
    return pl.when(pl.col(name)).then(pl.lit("true")).when(~pl.col(name)).then(pl.lit("false"))


def _field(name: str, dtype: pl.DataType) -> pl.Expr:
    """Give `,name=value`, null where the value is absent."""
    if dtype == pl.Boolean:
        value = _boolean(name)
    elif dtype.is_integer():
        value = pl.col(name).cast(pl.String) + "i"
    elif dtype.is_float():
        value = pl.when(pl.col(name).is_finite()).then(pl.col(name)).cast(pl.String)
    else:
        text = pl.col(name).str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
        value = pl.lit('"') + text + '"'
    return pl.lit(f",{name}=") + value


def _lines(measurement: str, frame: pl.DataFrame, tags: list[str], fields: list[str], time: pl.Expr) -> bytes:
    types: dict[str, Any] = frame.schema
    held = [name for name in fields if name in types and frame[name].null_count() < frame.height]
    if not held:
        return b""
    line = pl.concat_str(
        pl.lit(measurement),
        *(_tag(name, types[name]) for name in tags if name in types),
        pl.lit(" "),
        pl.concat_str([_field(name, types[name]) for name in held], ignore_nulls=True).str.slice(1),
        pl.lit(" "),
        time.cast(pl.String),
    )
    return "\n".join(frame.select(line.alias("line"))["line"].drop_nulls().to_list()).encode()


def point_time_ns() -> pl.Expr:
    """Return the deterministic time of a record's point, nanoseconds since 1970."""
    last_digits = pl.col("record_id").str.slice(-3).str.to_integer(base=16, dtype=pl.Int64, strict=False)
    return pl.col("started_at").dt.epoch("us") * 1000 + last_digits % 1000


def test_lines(frame: pl.DataFrame) -> bytes:
    """Return the points of records given in archive columns, one line each."""
    areas = sorted(name for name in frame.columns if name.startswith("areas_"))
    # Sorted tags are what InfluxDB stores; it need not sort them again.
    return _lines(TEST, frame, sorted((*areas, *TAGS)), list(FIELDS), point_time_ns())


def rating_lines(ratings: pl.DataFrame, time_ns: int) -> bytes:
    """Return the points of the newest area ratings at one time: a period's tags are the same each time it is rated."""
    tags = sorted((*RATING_TAGS, "period", "is_simulated"))
    return _lines(RATING, ratings, tags, list(RATING_FIELDS), pl.lit(time_ns))
