"""The result tables that the analysis writes into an archive: name, columns, units. Readers build on these names.

Every table is Parquet under `results/`, read with `Archive.read_result(name)`. Ratings are long: one row for each
(layer, area, operator, technology, period, kpi, statistic). Values stand in the unit of the KPI's column
(`measurement.kpi.Kpi.unit`: bit/s, ms, ratio, dBm); multiply by `Kpi.scale` to show them. Scores are 0-100.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

ALL = "*"
"""Stands for every operator, or every technology, together."""

WHOLE = "all"
"""The period that holds every day."""

RATED, PROVISIONAL, INSUFFICIENT = "rated", "provisional", "insufficient"


class Field(NamedTuple):
    """One column of a result table."""

    name: str
    dtype: Any
    meaning: str


_GROUP = (
    Field("operator", pl.String, "name of the operator; * for all together"),
    Field("technology", pl.String, "class: 5g, 4g, 3g, 2g; * for all together"),
    Field("period", pl.String, "civil month (2026-05) or all"),
)
_KPI = Field("kpi", pl.String, "id of measurement.kpi, or score")
_FIGURES = (
    Field("statistic", pl.String, "median, p10, p90, mean, share or score"),
    Field("value", pl.Float64, "estimate in the KPI's unit; null where nothing was measured"),
    Field("low", pl.Float64, "lower end of the 95 % interval; null below its minimum"),
    Field("high", pl.Float64, "upper end of the 95 % interval; null below its minimum"),
    Field("samples_count", pl.Int64, "tests behind the figure"),
    Field("devices_count", pl.Int64, "devices behind the figure"),
    Field("effective_count", pl.Float64, "independent samples of equal weight that would say as much"),
    Field("needed_count", pl.Int64, "how many more tests until it is rated; 0 where it is"),
    Field("status", pl.String, "rated, provisional or insufficient"),
    Field("grade", pl.String, "A to E on rows of the score; null elsewhere"),
    Field("rank_low", pl.Int64, "best place this row may hold among its peers (ties share a range)"),
    Field("rank_high", pl.Int64, "worst place this row may hold among its peers"),
    Field("is_simulated", pl.Boolean, "true where any test behind it was simulated"),
)
_LAYER_AREA = (
    Field("layer", pl.String, "key of the layer of areas"),
    Field("area", pl.String, "key of the area"),
)

TABLES: dict[str, tuple[Field, ...]] = {
    "area_ratings": (*_LAYER_AREA, *_GROUP, _KPI, *_FIGURES),
    "bts_ratings": (Field("base_station", pl.String, "id in the registry"), *_GROUP, _KPI, *_FIGURES),
    "exclusions": (
        Field("scope", pl.String, "area, base_station or grid: what the records were left out of"),
        Field("reason", pl.String, "id of the cleaning rule; kept counts what was left in"),
        Field("count", pl.Int64, "records"),
    ),
    "hexagons": (
        Field("h3_cell", pl.String, "H3 index, hexadecimal"),
        Field("resolution", pl.Int64, "H3 resolution, 8 or 9"),
        *_GROUP,
        _KPI,
        Field("value", pl.Float64, "median of the collapsed tests (mean of shares)"),
        Field("p10", pl.Float64, "tenth percentile; null for shares"),
        Field("samples_count", pl.Int64, "tests"),
        Field("devices_count", pl.Int64, "devices"),
        Field("needed_count", pl.Int64, "how many more tests until it may be shown as rated"),
        Field("status", pl.String, "rated, or insufficient below the evidence floor"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "series": (
        *_LAYER_AREA,
        Field("operator", pl.String, "name of the operator; * for all together"),
        Field("technology", pl.String, "class; * for all together"),
        Field("axis", pl.String, "day or hour_of_day"),
        Field("at", pl.String, "2026-05-01, or 00 to 23 local time"),
        _KPI,
        Field("value", pl.Float64, "median (mean of shares)"),
        Field("low", pl.Float64, "lower end of the 95 % interval; null below its minimum"),
        Field("high", pl.Float64, "upper end of the 95 % interval; null below its minimum"),
        Field("samples_count", pl.Int64, "tests"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "histograms": (
        *_LAYER_AREA,
        *_GROUP,
        _KPI,
        Field("bin_low", pl.Float64, "lower edge of the bin in the KPI's unit"),
        Field("bin_high", pl.Float64, "upper edge of the bin in the KPI's unit"),
        Field("share", pl.Float64, "share of the weight in the bin"),
    ),
}  # fmt: skip
"""Every result table with its columns in order."""


def schema(table: str) -> dict[str, Any]:
    """Return name and dtype of each column of a result table."""
    return {field.name: field.dtype for field in TABLES[table]}


def shape(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Give a frame every column of its table, in order: absent ones are null."""
    wanted = schema(table)
    return frame.select(
        (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name))
        for name, dtype in wanted.items()
    )
