"""What one more test is worth: how much it would shrink the intervals that matter, figure by figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.results import ALL, INSUFFICIENT, WHOLE
from analysis.thresholds import Thresholds
from measurement.geography import Layer

Floats = npt.NDArray[np.float64]

UNPUBLISHED = 1.0
"""Half-width of what may not be published: it may be anything up to twice or nothing (docs/planning.md; evidence D)."""
AREA, STATION, CELL, HOUR = "area", "base_station", "cell", "hour"
RATED_TECHNOLOGIES = ("4g", "5g")


class Need(NamedTuple):
    """One figure that tests would sharpen.

    `done` tests are behind it, `needed` are missing until it may be published, `half_width` is that of its interval
    relative to itself (to the distance of the next grade for stations). `weight` is what it matters.
    """

    kind: str
    target: str
    name: str
    operator: str
    technology: str
    done: float
    needed: float
    half_width: float
    weight: float


def half_width(done: Any, needed: Any, now: Any, more: Any, target: float) -> Floats:
    """Return the half-width after some more tests.

    Below its floor a figure is unknown, and falls to the target along a convex way: the last tests before
    publishing are worth most, so that a plan finishes areas before it begins others. Above it the half-width falls
    with the root of the count.

    Examples
    --------
    >>> float(half_width(0, 100, 1.0, 0, 0.15)), round(float(half_width(90, 10, 1.0, 10, 0.15)), 2)
    (1.0, 0.15)
    >>> round(float(half_width(100, 0, 0.2, 300, 0.15)), 2)
    0.1
    """
    done, needed, now, more = (np.asarray(x, float) for x in (done, needed, now, more))
    whole = np.maximum(done + needed, 1.0)
    progress = np.clip((done + more) / whole, 0, 1)
    below = UNPUBLISHED - (UNPUBLISHED - target) * progress**1.5
    beyond = np.maximum(more - needed, 0)
    after = target * np.sqrt(whole / (whole + beyond))
    above = now * np.sqrt(np.maximum(done, 1) / np.maximum(done + more, 1))
    return np.asarray(np.where(needed > 0, np.where(beyond > 0, after, below), above))


def _whole(frame: pl.DataFrame | None) -> pl.DataFrame | None:
    return None if frame is None else frame.filter(pl.col("period") == WHOLE)


def _relative(row: dict[str, Any], default: float) -> float:
    if row["low"] is None or row["high"] is None or not row["value"]:
        return default
    return float(min(abs(row["high"] - row["low"]) / 2 / abs(row["value"]), UNPUBLISHED))


def areas(ratings: pl.DataFrame | None, layer: Layer, operators: Sequence[str], limits: Thresholds) -> list[Need]:
    """Return the need of each area, operator and technology: its median downlink, published and sharp."""
    minimum = limits.minimum_of("area")
    known: dict[tuple[str, str, str], dict[str, Any]] = {}
    ratings = _whole(ratings)
    if ratings is not None:
        own = ratings.filter(
            (pl.col("layer") == layer.key)
            & (pl.col("kpi") == "downlink")
            & (pl.col("statistic") == "median")
            & (pl.col("operator") != ALL)
            & (pl.col("technology") != ALL)
        )
        known = {(row["area"], row["operator"], row["technology"]): row for row in own.iter_rows(named=True)}
    found = []
    for area in layer.areas:
        for operator in operators:
            for technology in RATED_TECHNOLOGIES:
                row = known.get((area.key, operator, technology))
                if row is None:
                    found.append(
                        Need(AREA, area.key, area.name, operator, technology, 0, minimum.samples, UNPUBLISHED, 1.0)
                    )
                    continue
                lacking = row["needed_count"] if row["status"] == INSUFFICIENT else 0
                width = _relative(row, UNPUBLISHED if lacking else minimum.interval)
                found.append(
                    Need(AREA, area.key, area.name, operator, technology, row["samples_count"], lacking, width, 1.0)
                )
    return found


def stations(ratings: pl.DataFrame | None, limits: Thresholds) -> list[Need]:
    """Return the need of each station whose grade is open: not published, or its interval reaches over a border."""
    ratings = _whole(ratings)
    if ratings is None:
        return []
    borders = np.array(sorted(grade.score for grade in limits.grade))[1:]
    found = []
    for row in ratings.filter((pl.col("kpi") == "score") & (pl.col("technology") != ALL)).iter_rows(named=True):
        if row["value"] is None:
            if 0 < row["needed_count"] <= 30 and row["samples_count"]:
                found.append(_station(row, float(row["needed_count"]), UNPUBLISHED, 0.3))
            continue
        low, high = (row["value"] if row[end] is None else row[end] for end in ("low", "high"))
        if ((borders > low) & (borders < high)).any():
            found.append(_station(row, 0.0, min((high - low) / 2 / 15, UNPUBLISHED), 0.5))
    return found


def _station(row: dict[str, Any], needed: float, width: float, weight: float) -> Need:
    return Need(
        STATION, row["base_station"], row["base_station"], row["operator"], row["technology"], row["samples_count"],
        needed, width, weight,
    )  # fmt: skip


def cells(covered: pl.DataFrame | None, limit: float = 8.0, most: int = 4000) -> list[Need]:
    """Return the need of each map cell that is near samples and still unsure whether it is covered."""
    if covered is None:
        return []
    open_ = covered.filter((pl.col("kpi") == "rsrp") & (pl.col("nearest_m") < 1000) & (pl.col("error") > limit / 2))
    unsure = 1 - (2 * pl.col("probability") - 1).abs()
    ranked = open_.with_columns((unsure * pl.col("error") / limit).alias("worth")).sort("worth", descending=True)
    return [
        Need(CELL, row["h3_cell"], row["h3_cell"], row["operator"], row["technology"], 1, 0,
             min(row["error"] / limit, 1.0), 0.1 * row["worth"])
        for row in ranked.head(most).iter_rows(named=True)
    ]  # fmt: skip


def hours(series: pl.DataFrame | None, layer: Layer, operators: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    """Return the hours of day, 6 to 22, in which an area and operator were never tested."""
    daytime = range(6, 23)
    if series is None:
        return {}
    own = series.filter((pl.col("layer") == layer.key) & (pl.col("axis") == "hour_of_day"))
    if own.is_empty():
        return {}
    seen: dict[tuple[str, str], set[int]] = {}
    for area, operator, at in own.filter(pl.col("samples_count") > 0).select("area", "operator", "at").iter_rows():
        seen.setdefault((area, operator), set()).add(int(at))
    return {key: [hour for hour in daytime if hour not in found] for key, found in seen.items() if key[1] in operators}
