"""Streams: the tests of one area, station or operator and one technology, by hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from measurement.columns import area_column

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STATIONS, OPERATORS = "base_stations", "operators"
"""Names of the layers that are no areas."""
HORIZON_HOURS = 14 * 24
_HELD = 3.0


class Streams(NamedTuple):
    """Streams of one layer with their rows, ordered by stream and time.

    `keys` has one row a stream: area, operator, technology; `first` and `last` bound its rows in `rows`.
    `z` is the standardised mean of each stream and hour that ended before now, shape (streams, HORIZON_HOURS).
    """

    layer: str
    keys: pl.DataFrame
    first: Ints
    last: Ints
    rows: pl.DataFrame
    z: Floats


def column_of(layer: str) -> str:
    """Return the column that a layer's areas stand in; empty for operators."""
    return {STATIONS: "base_station", OPERATORS: ""}.get(layer, area_column(layer))


def collapse(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Collapse each device's tests of an hour: an eager device speaks once."""
    back = (pl.lit(now) - pl.col("started_at")).dt.total_microseconds() // 3_600_000_000
    return (
        rows.with_columns(back.alias("back"))
        .group_by("area", "operator", "technology", "probe_id", "back", "server", maintain_order=True)
        .agg(
            pl.col("started_at").min(),
            pl.col("residual").mean(),
            pl.col("deviation").mean(),
            pl.len().alias("tests"),
            pl.col("is_simulated").any(),
        )
    )


def _hourly(rows: pl.DataFrame, stream: Ints, count: int) -> Floats:
    """Return the standardised mean residual of each stream and hour, widened where hours scatter more than tests."""
    back = rows["back"].to_numpy().astype(np.int64)
    inside = (back >= 0) & (back < HORIZON_HOURS)
    deviation = rows["deviation"].to_numpy()[inside]
    score = np.clip(rows["residual"].to_numpy()[inside] / deviation, -_HELD, _HELD)
    cell = stream[inside] * HORIZON_HOURS + (HORIZON_HOURS - 1 - back[inside])
    size = count * HORIZON_HOURS
    total = np.bincount(cell, score / deviation, minlength=size)
    mass = np.bincount(cell, 1 / deviation**2, minlength=size)
    z = np.divide(total, np.sqrt(mass), out=np.full(size, np.nan), where=mass > 0).reshape(count, HORIZON_HOURS)
    scatter = np.nanmedian(np.abs(z)) / 0.6745 if np.isfinite(z).any() else 1.0
    return np.asarray(z / max(1.0, float(scatter)))


def of_layer(judged: pl.DataFrame, layer: str, now: datetime) -> Streams:
    """Sort the judged rows of one KPI into the streams of a layer."""
    column = column_of(layer)
    area = pl.col(column) if column else pl.lit("*")
    rows = collapse(judged.with_columns(area.alias("area")).drop_nulls("area"), now)
    rows = rows.sort("area", "operator", "technology", "started_at")
    keys = rows.group_by("area", "operator", "technology", maintain_order=True).agg(pl.len())
    last = np.cumsum(keys["len"].to_numpy()).astype(np.int64)
    stream = np.repeat(np.arange(keys.height), keys["len"].to_numpy())
    z = _hourly(rows, stream, keys.height)
    return Streams(layer, keys.drop("len"), last - keys["len"].to_numpy(), last, rows, z)


def finest(layers: Sequence[str], state: pl.DataFrame) -> str:
    """Return the column of the layer with the most areas seen."""
    columns = [area_column(layer) for layer in layers]
    return max(columns, key=lambda name: state[name].n_unique())
