"""One slice of the ratings: the rows of a layer for an operator, technology, KPI and period, checked."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import polars as pl

from analysis.results import ALL, WHOLE
from maps.publish.ratings import shown_statistic
from maps.source import Source, default_layer
from measurement.errors import ConfigError
from measurement.geography import Layer
from measurement.kpi import BY_ID, Better

INSUFFICIENT = "insufficient"


class Selection(NamedTuple):
    """What to show."""

    layer: Layer
    operator: str
    technology: str
    kpi: str
    period: str


def _one_of(what: str, asked: str | None, known: list[str], fallback: str) -> str:
    if asked is None:
        return fallback
    if asked not in known:
        raise ConfigError(f"Invalid {what} {asked!r}. One of: {', '.join(known) or 'none'}.")
    return asked


def select(
    source: Source,
    today: date,
    *,
    layer: str | None = None,
    operator: str | None = None,
    technology: str | None = None,
    kpi: str | None = None,
    period: str | None = None,
) -> Selection:
    """Return a selection with the widest choice where nothing was asked for.

    Raises
    ------
    ConfigError
        Where the archive has no layer, or holds none of what was asked for.
    """
    if not source.layers:
        raise ConfigError("Invalid archive. It has no layer of areas.")
    keys = [each.key for each in source.layers]
    key = _one_of("layer", layer, keys, keys[default_layer(source.layers, today)])
    words = {name: source.words(name) for name in ("operator", "technology", "period")}
    first = {name: (known[0] if known else ALL) for name, known in words.items()}
    return Selection(
        source.layers[keys.index(key)],
        _one_of("operator", operator, words["operator"], first["operator"]),
        _one_of("technology", technology, words["technology"], first["technology"]),
        _one_of("kpi", kpi, ["score", *BY_ID], "score"),
        _one_of(
            "period",
            period,
            words["period"],
            WHOLE if WHOLE in words["period"] or not words["period"] else words["period"][-1],
        ),
    )


def rows(source: Source, selection: Selection) -> dict[str, dict[str, Any]]:
    """Return the row of each area by its key."""
    frame = source.tables.get("area_ratings")
    if frame is None:
        return {}
    slice_ = frame.filter(
        (pl.col("layer") == selection.layer.key)
        & (pl.col("operator") == selection.operator)
        & (pl.col("technology") == selection.technology)
        & (pl.col("kpi") == selection.kpi)
        & (pl.col("period") == selection.period)
        & shown_statistic()
    )
    return {row["area"]: row for row in slice_.iter_rows(named=True)}


def is_rated(row: dict[str, Any] | None) -> bool:
    """Tell whether a row has evidence enough to be shown as a figure."""
    return row is not None and row["value"] is not None and row["status"] != INSUFFICIENT


def best_first(found: dict[str, dict[str, Any]], kpi: str) -> list[dict[str, Any]]:
    """Return the rated rows, the best first; ties in value by key."""
    falls = kpi in BY_ID and BY_ID[kpi].better is Better.LOWER
    rated = [row for row in found.values() if is_rated(row)]
    return sorted(rated, key=lambda row: (row["value"] if falls else -row["value"], row["area"]))
