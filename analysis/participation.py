"""Who took part: users and samples, whole, by area and by organisation, over months, against targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from analysis import results
from analysis.results import ALL, WHOLE
from measurement.columns import area_column
from measurement.errors import ConfigError

COLUMNS = ("probe_id", "organisation", "is_simulated")

SCOPES = ("whole", "area", "organisation")

_TARGETS = {"scope": pl.String, "layer": pl.String, "key": pl.String, "users": pl.Int64, "samples": pl.Int64}


def tallied(frame: pl.DataFrame, day: str, layers: Sequence[str]) -> pl.DataFrame:
    """Return tests of each probe of one day by organisation and areas: what counts merge from."""
    keys = ["probe_id", "organisation", *(area_column(layer) for layer in layers)]
    return (
        frame.group_by(keys)
        .agg(pl.len().cast(pl.Int64).alias("samples_count"), pl.col("is_simulated").any())
        .with_columns(pl.lit(day[:7]).alias("period"))
    )


def _counted(parts: pl.DataFrame, scope: str, layer: str | None, key: pl.Expr) -> Iterable[pl.DataFrame]:
    named = parts.select(key.alias("key"), "probe_id", "samples_count", "is_simulated", "period").drop_nulls("key")
    for period in (pl.col("period"), pl.lit(WHOLE)):
        yield (
            named.with_columns(period.alias("period"))
            .group_by("key", "period")
            .agg(
                pl.col("probe_id").n_unique().cast(pl.Int64).alias("users_count"),
                pl.col("samples_count").sum(),
                pl.col("is_simulated").any(),
            )
            .with_columns(pl.lit(scope).alias("scope"), pl.lit(layer, pl.String).alias("layer"))
        )


def participation(parts: pl.DataFrame, layers: Sequence[str], targets: pl.DataFrame) -> pl.DataFrame:
    """Return the `participation` table from the days' tallies; a target without any sample still has its row."""
    found = [
        *_counted(parts, "whole", None, pl.lit(ALL)),
        *_counted(parts, "organisation", None, pl.col("organisation")),
    ]
    for layer in layers:
        found += _counted(parts, "area", layer, pl.col(area_column(layer)))
    columns = ["scope", "layer", "key", "period", "users_count", "samples_count", "is_simulated"]
    counted = pl.concat([frame.select(columns) for frame in found])
    wanted = targets.rename({"users": "users_target", "samples": "samples_target"})
    keys = ["scope", "layer", "key"]
    whole = counted.filter(pl.col("period") == WHOLE).join(wanted, on=keys, how="full", coalesce=True, nulls_equal=True)
    filled = whole.with_columns(
        pl.col("period").fill_null(WHOLE), pl.col("users_count", "samples_count").fill_null(0),
        pl.col("is_simulated").fill_null(False),
    )  # fmt: skip
    both = pl.concat((filled, counted.filter(pl.col("period") != WHOLE)), how="diagonal")
    return results.shape("participation", both).sort("scope", "layer", "period", "key", nulls_last=True)


def read_targets(path: Path | None) -> pl.DataFrame:
    """Read targets from CSV with the columns scope, layer, key, users, samples.

    Raises
    ------
    ConfigError
        Naming the column or the row that is wrong.
    """
    if path is None:
        return pl.DataFrame(schema=_TARGETS)
    try:
        frame = pl.read_csv(path, schema_overrides={"key": pl.String})
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError(f"Invalid targets {str(path)!r}. {str(error).splitlines()[0]}") from None
    missing = [name for name in _TARGETS if name not in frame.columns]
    if missing:
        raise ConfigError(f"Invalid targets {str(path)!r}. No column {missing[0]}; {', '.join(_TARGETS)} are needed.")
    strange = frame.with_row_index("row", 2).filter(~pl.col("scope").is_in(SCOPES))
    if not strange.is_empty():
        row, scope = strange.select("row", "scope").row(0)
        raise ConfigError(f"Invalid targets {str(path)!r}. Row {row}: scope {scope!r} is none of {', '.join(SCOPES)}.")
    try:
        return frame.select(pl.col(name).cast(dtype) for name, dtype in _TARGETS.items())
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"Invalid targets {str(path)!r}. {str(error).splitlines()[0]}") from None
