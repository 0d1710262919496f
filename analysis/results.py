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
    "hour_ratings": (*_LAYER_AREA, *_GROUP, _KPI, *_FIGURES),  # the period is the local hour, 00 to 23
    "bts_ratings": (Field("base_station", pl.String, "id in the registry"), *_GROUP, _KPI, *_FIGURES),
    "bts_facts": (
        Field("base_station", pl.String, "id in the registry"),
        Field("operator", pl.String, "operator of the registry"),
        Field("registry_technology", pl.String, "technology of the registry: lte or nr"),
        Field("samples_count", pl.Int64, "samples used: placed within 50 m, at most 2000"),
        Field("devices_count", pl.Int64, "devices they came from"),
        Field("range_p95_m", pl.Float64, "95th percentile of the distance of its samples, m"),
        Field("path_loss_exponent", pl.Float64, "fitted path-loss exponent"),
        Field("path_loss_r2", pl.Float64, "R² of the fit"),
        Field("path_loss_sigma_db", pl.Float64, "standard deviation around the fit, dB"),
        Field("is_pattern_removed", pl.Boolean, "whether the antenna's pattern was taken off (azimuths known)"),
        Field("path_loss_unusable", pl.String, "why the fit may not be used; empty where it may"),
        Field("overshoot_share", pl.Float64, "share of samples with four nearer stations of its operator"),
        Field("overshoots", pl.Boolean, "whether that share reaches a tenth"),
        Field("swapped_sectors", pl.String, "sectors whose samples lie in each other's direction; empty where none"),
        Field("position", pl.String, "consistent, inconsistent or unknown, against its strongest samples"),
        Field("position_offset_m", pl.Float64, "from the registry's place to the middle of its strongest samples, m"),
        Field("registry_fault", pl.String, "what looks wrong with its coordinates; empty where nothing"),
        Field("last_seen", pl.String, "start of the last test that it served, UTC"),
        Field("on_air_share", pl.Float64, "share of days it served a test; null below three tests a day"),
        Field("busiest_hour", pl.Int64, "local hour with the lowest median downlink"),
        Field("busiest_ratio", pl.Float64, "its median over that of the best hour"),
        Field("is_simulated", pl.Boolean, "true where any sample was simulated"),
    ),
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
        Field("value", pl.Float64, "median of the tests of its devices (mean of shares)"),
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
    "compliance": (
        Field("kind", pl.String, "certified where the campaign meets every quota, else indicative"),
        *_LAYER_AREA,
        Field("campaign", pl.String, "name of the campaign; null where all data are taken together"),
        *_GROUP,
        Field("regulation", pl.String, "regulation the limit is from"),
        Field("limit_id", pl.String, "id of the limit in the thresholds"),
        _KPI,
        Field("statistic", pl.String, "mean or share"),
        Field("bound", pl.String, "at_least or at_most"),
        Field("limit", pl.Float64, "the limit in the KPI's unit"),
        Field("value", pl.Float64, "figure in the KPI's unit"),
        Field("low", pl.Float64, "lower end of the 95 % interval"),
        Field("high", pl.Float64, "upper end of the 95 % interval"),
        Field("samples_count", pl.Int64, "tests behind the figure"),
        Field("verdict", pl.String, "PASS, FAIL or INDETERMINATE: by the whole interval"),
        Field("missing", pl.String, "what the campaign lacks to be certified; empty where nothing"),
        Field("evidence", pl.String, "evidence mark of the limit: V, S, R or D"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "sites": (
        Field("probe_id", pl.String, "the fixed probe"),
        Field("organisation", pl.String, "whose office it stands in"),
        Field("layer", pl.String, "first configured layer"),
        Field("area", pl.String, "area of that layer"),
        Field("operator", pl.String, "operator of the line, as most of its tests say"),
        Field("technology", pl.String, "access technology, as most of its tests say"),
        Field("first_seen", pl.String, "start of its first test, UTC"),
        Field("last_seen", pl.String, "start of its last test, UTC"),
        Field("tests_count", pl.Int64, "tests"),
        Field("failed_count", pl.Int64, "tests that failed"),
        Field("availability", pl.Float64, "share of the observed time in which the line was up"),
        Field("availability_low", pl.Float64, "the least it can have been: down from the last good test to the next"),
        Field("availability_high", pl.Float64, "the most it can have been: down from first to last failed test"),
        Field("outages_count", pl.Int64, "runs of failed tests"),
        Field("longest_outage_s", pl.Float64, "longest run of failed tests, half a usual interval on either side, s"),
        Field("silent_s", pl.Float64, "time without any test, beyond three of its usual intervals, s"),
        Field("is_connected", pl.Boolean, "whether a test came through in the last day of the archive"),
        Field("downlink_median_bps", pl.Float64, "median downlink, bit/s"),
        Field("uplink_median_bps", pl.Float64, "median uplink, bit/s"),
        Field("latency_median_ms", pl.Float64, "median idle round trip, ms"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "participation": (
        Field("scope", pl.String, "whole, area or organisation"),
        Field("layer", pl.String, "layer of the area; null elsewhere"),
        Field("key", pl.String, "area or organisation; * for the whole"),
        Field("period", pl.String, "civil month or all"),
        Field("users_count", pl.Int64, "devices"),
        Field("samples_count", pl.Int64, "tests"),
        Field("users_target", pl.Int64, "target of devices; null where none is set"),
        Field("samples_target", pl.Int64, "target of tests; null where none is set"),
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
    "bts_series": (
        Field("base_station", pl.String, "id in the registry"),
        Field("operator", pl.String, "operator of the registry; * where none owns it"),
        Field("technology", pl.String, "class: 5g, 4g, 3g, 2g"),
        Field("axis", pl.String, "week or part_of_day"),
        Field("at", pl.String, "Monday of the week (2026-05-04), or first hour of the part (00, 03 to 21, local time)"),
        _KPI,
        Field("value", pl.Float64, "median of its units: a device in a part of a day counts once"),
        Field("low", pl.Float64, "lower end of the 95 % interval; null below its minimum"),
        Field("high", pl.Float64, "upper end of the 95 % interval; null below its minimum"),
        Field("samples_count", pl.Int64, "tests"),
        Field("devices_count", pl.Int64, "devices"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "bts_histograms": (
        Field("base_station", pl.String, "id in the registry"),
        Field("technology", pl.String, "class: 5g, 4g, 3g, 2g"),
        _KPI,
        Field("bin_low", pl.Float64, "lower edge of the bin in the KPI's unit"),
        Field("bin_high", pl.Float64, "upper edge of the bin in the KPI's unit"),
        Field("share", pl.Float64, "share of the station's units in the bin"),
        Field("samples_count", pl.Int64, "tests of all bins together"),
        Field("devices_count", pl.Int64, "devices of all bins together"),
    ),
    "changes": (
        *_LAYER_AREA,
        Field("operator", pl.String, "name of the operator; * for all together"),
        Field("technology", pl.String, "class; * for all together"),
        Field("before", pl.String, "the earlier month, 2026-05"),
        Field("period", pl.String, "the later month"),
        _KPI,
        Field("first", pl.Float64, "median (mean of shares) of the earlier month"),
        Field("second", pl.Float64, "the same of the later month"),
        Field("change", pl.Float64, "second over first where is_ratio, else second minus first"),
        Field("low", pl.Float64, "lower end of the 95 % interval of change"),
        Field("high", pl.Float64, "upper end of the 95 % interval of change"),
        Field("is_ratio", pl.Boolean, "whether change is a ratio"),
        Field("p_value", pl.Float64, "two-sided, from the interval"),
        Field("q_value", pl.Float64, "after Benjamini and Hochberg over the areas of the layer"),
        Field("verdict", pl.String, "better, worse, or no difference shown"),
        Field("first_tests", pl.Int64, "tests compared of the earlier month"),
        Field("second_tests", pl.Int64, "tests compared of the later month"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "coverage": (
        Field("h3_cell", pl.String, "H3 index, hexadecimal"),
        Field("resolution", pl.Int64, "H3 resolution"),
        Field("operator", pl.String, "name of the operator"),
        Field("technology", pl.String, "class: 5g, 4g, 3g, 2g"),
        Field("kpi", pl.String, "rsrp, sinr or downlink"),
        Field("mean", pl.Float64, "what a test in the cell would measure, in the KPI's unit (a median for speeds)"),
        Field("sigma", pl.Float64, "its standard deviation: dB for levels, of the natural logarithm for speeds"),
        Field("error", pl.Float64, "standard deviation of the mean itself, without the spread of tests at one place"),
        Field("probability", pl.Float64, "that a test in the cell reaches the threshold; null without one"),
        Field("threshold", pl.Float64, "the threshold in the KPI's unit"),
        Field("samples_count", pl.Int64, "tests inside the cell"),
        Field("nearest_m", pl.Float64, "metres from the cell's centre to the nearest measured block"),
        Field("is_masked", pl.Boolean, "true where the surface does not know: too far or too unsure"),
        Field("is_simulated", pl.Boolean, "true where any test behind the surface was simulated"),
    ),
    "coverage_validation": (
        Field("operator", pl.String, "name of the operator"),
        Field("technology", pl.String, "class: 5g, 4g, 3g, 2g"),
        Field("kpi", pl.String, "rsrp, sinr or downlink"),
        Field("scheme", pl.String, "what was held out"),
        Field("blocks_count", pl.Int64, "blocks predicted without what was held out"),
        Field("rmse", pl.Float64, "root mean square error: dB for levels, of the natural logarithm for speeds"),
        Field("bias", pl.Float64, "mean of predicted minus measured"),
        Field("coverage", pl.Float64, "share of blocks inside their own 95 % interval"),
        Field("idw_rmse", pl.Float64, "the same error of inverse distance weighting"),
        Field("family", pl.String, "family of the variogram"),
        Field("range_m", pl.Float64, "its range"),
        Field("nugget", pl.Float64, "its nugget, a variance"),
        Field("sill", pl.Float64, "variance of its smooth part"),
        Field("trend_slope", pl.Float64, "per decade of distance to the nearest station; 0 where no trend is used"),
        Field("interval_factor", pl.Float64, "what sigma was multiplied by so that the intervals hold"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "holes": (
        Field("hole", pl.String, "key of the hole: its operator, technology and first cell"),
        Field("operator", pl.String, "name of the operator"),
        Field("technology", pl.String, "class: 5g, 4g, 3g, 2g; * where service of any class was missing"),
        Field("geometry", pl.String, "GeoJSON MultiPolygon"),
        Field("longitude_deg", pl.Float64, "of its middle"),
        Field("latitude_deg", pl.Float64, "of its middle"),
        Field("layer", pl.String, "finest layer of areas"),
        Field("area", pl.String, "area of that layer that holds its middle"),
        Field("area_km2", pl.Float64, "surface"),
        Field("people", pl.Float64, "people living there by the density of its area; null without a population"),
        Field("failures", pl.Int64, "tests that failed or fell below the threshold"),
        Field("tests", pl.Int64, "tests"),
        Field("p_value", pl.Float64, "exact one-sided binomial, p0 = 0.10"),
        Field("q_value", pl.Float64, "after Benjamini and Hochberg over every cell tested"),
        Field("hours", pl.String, "local hours of day at which it failed, comma separated"),
        Field("subcells_count", pl.Int64, "sub-cells (H3 resolution 10) with a failure"),
        Field("nearest_bts", pl.String, "id of the operator's nearest station; null without a registry"),
        Field("nearest_bts_m", pl.Float64, "metres to it"),
        Field("neighbours", pl.String, "operators whose tests in the same cells pass, comma separated"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "degraded": (
        Field("layer", pl.String, "key of the layer of areas; base_stations or operators for these"),
        Field("area", pl.String, "key of the area, id of the station, or * for a whole operator"),
        Field("operator", pl.String, "name of the operator"),
        Field("technology", pl.String, "class: 5g, 4g, 3g, 2g"),
        Field("kpi", pl.String, "id of measurement.kpi"),
        Field("severity", pl.Int64, "0 none (resolved), 1 minor, 2 major"),
        Field("since", pl.Datetime("us", "UTC"), "when it began, by the change point"),
        Field("drop_ratio", pl.Float64, "how much worse than expected: 0.3 is 30 %"),
        Field("low", pl.Float64, "lower end of the 95 % interval of drop_ratio"),
        Field("high", pl.Float64, "upper end of the 95 % interval of drop_ratio"),
        Field("q_value", pl.Float64, "p of Mann-Whitney after Benjamini and Hochberg; of a sudden fall exp(-height)"),
        Field("blame", pl.String, "network, server or probe"),
        Field("blamed", pl.String, "the server or probe that is to blame; null for the network"),
        Field("samples_count", pl.Int64, "tests since the change"),
        Field("devices_count", pl.Int64, "devices since the change"),
        Field("neighbours", pl.String, "keys of areas of the layer that share it, comma separated"),
        Field("confirmed_at", pl.Datetime("us", "UTC"), "when it was confirmed"),
        Field("resolved_at", pl.Datetime("us", "UTC"), "when it was over; null while it lasts"),
        Field("resolution", pl.String, "recovered, or new_normal where the baseline learnt it; null while it lasts"),
        Field("calm_since", pl.Datetime("us", "UTC"), "when it last began to look recovered; null where it does not"),
        Field("is_simulated", pl.Boolean, "true where any test was simulated"),
    ),
    "plan": (
        Field("rank", pl.Int64, "1 is worth most for a minute of field time"),
        Field("stop", pl.Int64, "place in the route; null off the route"),
        Field("kind", pl.String, "area, base_station, cell or hour: what the tests are for"),
        Field("target", pl.String, "key of the area, station or H3 cell"),
        Field("name", pl.String, "its name"),
        Field("operator", pl.String, "name of the operator"),
        Field("technology", pl.String, "class: 5g, 4g, 3g, 2g; * for any"),
        Field("longitude_deg", pl.Float64, "where to stand"),
        Field("latitude_deg", pl.Float64, "where to stand"),
        Field("hour", pl.Int64, "local hour of day at which to test; null for any"),
        Field("tests", pl.Int64, "tests to make there"),
        Field("value", pl.Float64, "shrinkage of the intervals that matter, summed"),
        Field("minutes", pl.Float64, "field time: way, set-up and tests"),
        Field("reason_en", pl.String, "why, in English"),
        Field("reason_vi", pl.String, "why, in Vietnamese"),
        Field("is_simulated", pl.Boolean, "true where the evidence holds simulated tests"),
    ),
}  # fmt: skip
TABLES["degraded_events"] = TABLES["degraded"]
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
