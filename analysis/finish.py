"""From judged figures to result tables: evidence, grades, ranks, order."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis import results
from analysis.evidence import judge_evidence
from analysis.grading import failed_limits
from analysis.ranking import ranks
from analysis.results import ALL
from analysis.scores import grade_of
from analysis.thresholds import Thresholds


def finish(table: str, frame: pl.DataFrame, keys: Sequence[str], thresholds: Thresholds, scope: str) -> pl.DataFrame:
    """Add evidence, grades and ranks to named long rows and shape them; `keys` say among whom a row is ranked."""
    minimum = thresholds.minimum_of(scope)
    frame = judge_evidence(frame, minimum, "rows_count" if scope == "area" else "samples_count")
    group = [
        name for name in frame.columns if name in ("layer", "area", "base_station", "operator", "technology", "period")
    ]
    frame = failed_limits(frame, group, thresholds)
    is_score = (pl.col("kpi") == "score") & (pl.col("statistic") == "score")
    scores = frame.filter(is_score)
    sure = scores.select(
        pl.when(pl.col("status") != results.INSUFFICIENT).then(pl.col("value")).fill_null(float("nan"))
    )
    letters = grade_of(sure.to_series().to_numpy(), scores["is_failed"].to_numpy(), thresholds)
    graded = scores.select(*group, pl.Series("grade", letters.tolist(), dtype=pl.String), is_score=True)
    ranked = _ranked(scores.filter(pl.col("status") != results.INSUFFICIENT), group, keys, minimum.ranking)
    graded = graded.join(ranked, on=group, how="left").drop("is_score")
    with_scores = frame.filter(is_score).join(graded, on=group, how="left", maintain_order="left")
    rest = frame.filter(~is_score)
    return _sorted(table, pl.concat((rest, with_scores), how="diagonal"))


def _ranked(scores: pl.DataFrame, group: Sequence[str], keys: Sequence[str], at_least: int) -> pl.DataFrame:
    frames = [scores.head(0).select(*group).with_columns(rank_low=pl.lit(0, pl.Int64), rank_high=pl.lit(0, pl.Int64))]
    eligible = scores.filter((pl.col("rows_count") >= at_least) & pl.col("error").is_finite() & (pl.col("freedom") > 1))
    for part in eligible.partition_by(keys, maintain_order=True):
        low, high = ranks(part["value"].to_numpy(), part["error"].to_numpy(), part["freedom"].to_numpy() - 1)
        frames.append(part.select(*group, pl.Series("rank_low", low), pl.Series("rank_high", high)))
    return pl.concat(frames)


def _sorted(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Shape a table; NaN becomes null, and rows without samples stay for scores of mixes only."""
    numbers = pl.col("value", "low", "high", "effective_count").fill_nan(None)
    empty = (pl.col("samples_count") == 0) & (pl.col("technology") != ALL)
    keys = [name for name in results.schema(table) if name not in ("value", "low", "high")][:7]
    return results.shape(table, frame.filter(~empty).with_columns(numbers)).sort(keys)
