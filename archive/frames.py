"""Records as polars frames: the flat columns of `measurement.columns`, from JSON bodies or from arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import polars as pl

from measurement.columns import COLUMNS, Column, Kind, area_column, struct_fields
from measurement.radio import LegSummary
from measurement.record import Hop, RadioSample, Record
from measurement.vocabulary import Leg

_SCALARS: dict[Any, Any] = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}
INSTANT = pl.Datetime("us", "UTC")


def _struct_of(struct: type[msgspec.Struct]) -> pl.Struct:
    return pl.Struct({name: _SCALARS.get(hint, pl.String) for name, hint in struct_fields(struct).items()})


DTYPES: dict[Kind, Any] = {
    Kind.TEXT: pl.String,
    Kind.INTEGER: pl.Int64,
    Kind.REAL: pl.Float64,
    Kind.BOOLEAN: pl.Boolean,
    Kind.INSTANT: INSTANT,
    Kind.CELL: pl.Int64,
    Kind.INTEGERS: pl.List(pl.Int64),
    Kind.TEXTS: pl.List(pl.String),
    Kind.RADIO: pl.List(_struct_of(RadioSample)),
    Kind.HOPS: pl.List(_struct_of(Hop)),
}


def schema(layers: Iterable[str] = ()) -> dict[str, Any]:
    """Return name and dtype of every archive column, with one column for each layer."""
    flat = {column.name: DTYPES[column.kind] for column in COLUMNS}
    return flat | {area_column(layer): pl.String for layer in layers}


def _json_schema(layers: Iterable[str]) -> dict[str, Any]:
    """Nested schema of the JSON body, as polars reads it."""

    def of(struct: type[msgspec.Struct]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, hint in struct_fields(struct).items():
            if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
                fields[name] = pl.Struct(of(hint))
            else:
                fields[name] = _SCALARS.get(hint, pl.String)
        return fields

    nested = of(Record)
    for column in COLUMNS:
        if column.kind in (Kind.INTEGERS, Kind.TEXTS, Kind.RADIO, Kind.HOPS):
            _set(nested, column.path, DTYPES[column.kind])
    nested["areas"] = pl.Struct(dict.fromkeys(layers, pl.String) or {"none": pl.String})
    return nested


def _set(nested: dict[str, Any], path: Sequence[str], dtype: Any) -> None:
    head, *rest = path
    if not rest:
        nested[head] = dtype
        return
    inner = {field.name: field.dtype for field in nested[head].fields}
    _set(inner, rest, dtype)
    nested[head] = pl.Struct(inner)


def _expression(column: Column) -> pl.Expr:
    head, *rest = column.path
    expression = pl.col(head)
    for name in rest:
        expression = expression.struct.field(name)
    if column.kind is Kind.INSTANT:
        expression = expression.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    if column.kind is Kind.CELL:
        expression = expression.str.to_integer(base=16, dtype=pl.Int64, strict=False)
    if column.name == "is_simulated":
        expression = expression.fill_null(False)
    return expression.alias(column.name)


def leg_summaries(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the `radio_<leg>_*` columns from `radio`: last identity, median levels of the serving samples."""
    samples = (
        frame.select(pl.int_range(pl.len()).alias("row"), "radio")
        .explode("radio")
        .drop_nulls("radio")
        .unnest("radio")
        .filter("is_serving")
    )
    result = frame.with_columns(pl.int_range(pl.len()).alias("row"))
    for leg in Leg:
        grouped = (
            samples.filter(pl.col("leg") == leg.value)
            .group_by("row", maintain_order=True)
            .agg(
                *(pl.col(n).drop_nulls().last().alias(f"radio_{leg}_{n}") for n in LegSummary._fields[:6]),
                *(pl.col(n).drop_nulls().median().alias(f"radio_{leg}_{n}") for n in LegSummary._fields[6:]),
            )
        )
        result = result.join(grouped, on="row", how="left", maintain_order="left")
    return result.drop("row")


def frame_from_lines(lines: bytes, layers: Sequence[str]) -> pl.DataFrame:
    """Turn JSON of placed records, one a line, into a frame with every archive column, in order."""
    return frame_from_bodies(lines.split(b"\n") if lines else [], layers)


def frame_from_bodies(bodies: Sequence[bytes], layers: Sequence[str]) -> pl.DataFrame:
    """Turn JSON bodies of placed records into a frame with every archive column, in order."""
    wanted = schema(layers)
    if not bodies:
        return pl.DataFrame(schema=wanted)
    # Decoding a column of texts takes a third of the time of read_ndjson, which looks at each line twice.
    texts = pl.Series("record", [body.decode() for body in bodies], dtype=pl.String)
    nested = texts.str.json_decode(pl.Struct(_json_schema(layers))).struct.unnest()
    areas = [pl.col("areas").struct.field(layer).alias(area_column(layer)) for layer in layers]
    flat = nested.select(*(_expression(column) for column in COLUMNS if column.path), *areas)
    return leg_summaries(flat).select(list(wanted))


def conform(frame: pl.DataFrame, layers: Sequence[str]) -> pl.DataFrame:
    """Give a frame built from arrays every archive column: absent ones are null.

    Raises
    ------
    ValueError
        Where the frame has a column that is none of the archive's.
    """
    wanted = schema(layers)
    strange = set(frame.columns) - set(wanted)
    if strange:
        raise ValueError(f"Invalid columns {sorted(strange)}. None of the archive's.")
    return frame.select(
        (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name))
        for name, dtype in wanted.items()
    )
