"""What may be released, and how one edition follows another without giving anybody away.

Three rules, each against one attack (tests/analysis/opendata/test_differencing.py carries the attacks out):

* floors: a figure stands on at least five tests of three devices (docs/rating.md, publishing);
* one partition: one resolution, closed months, single operators and technologies. No totals, so nothing can be
  subtracted from a total to uncover a cell that was held back;
* rows do not move: what an edition published stays as it was in the next, however many late records came, so that two
  editions never differ by one person's test. A row that has since fallen below the floors (a device that asked to be
  forgotten) is withdrawn.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import NamedTuple

import h3
import polars as pl

from analysis.opendata.dictionary import KEY, columns, tenth_name, value_name
from analysis.results import ALL
from measurement.errors import ConfigError
from measurement.kpi import KPIS

MIN_TESTS, MIN_DEVICES = 5, 3
SETTLED_DAYS = 7
"""A month is closed this many days after its end: probes that were offline have reported by then."""

SIGNIFICANT_DIGITS = 3
_MONTH = re.compile(r"^(\d{4})-(\d{2})$")


class Release(NamedTuple):
    """The rows of an edition and what was kept out of it."""

    frame: pl.DataFrame
    kpis: set[str]
    resolution: int
    months: list[str]
    open_months: list[str]
    held_back_count: int
    kept_count: int
    withdrawn_count: int


def closes_on(month: str) -> date:
    """Return the first day on which a month may be released.

    Examples
    --------
    >>> closes_on('2026-12')
    datetime.date(2027, 1, 8)
    """
    match = _MONTH.match(month)
    if match is None:
        raise ConfigError(f"Invalid month {month!r}. YYYY-MM.")
    year, number = int(match.group(1)), int(match.group(2))
    return date(year + number // 12, number % 12 + 1, 1) + timedelta(days=SETTLED_DAYS)


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    if frame["h3_cell"].dtype == pl.String:
        return frame
    names = pl.DataFrame({"h3_cell": frame["h3_cell"].unique()}).with_columns(
        pl.col("h3_cell").map_elements(h3.int_to_str, return_dtype=pl.String).alias("text")
    )
    return frame.join(names, on="h3_cell").drop("h3_cell").rename({"text": "h3_cell"})


def enough() -> pl.Expr:
    """Return the condition under which a figure may be published."""
    return (pl.col("samples_count") >= MIN_TESTS) & (pl.col("devices_count") >= MIN_DEVICES)


def rows(hexagons: pl.DataFrame, today: date, resolution: int | None = None) -> Release:
    """Return the rows that may be published, as a first edition.

    Parameters
    ----------
    hexagons
        The result table `hexagons` (`analysis.results`).
    today
        Day of the release: months not closed by then stay out.
    resolution
        H3 resolution; the finest of the table by default. Never two: their differences would uncover cells.

    Raises
    ------
    ConfigError
        Where the table has no such resolution, or figures of the whole period only.
    """
    held = sorted(int(r) for r in hexagons["resolution"].unique()) if hexagons.height else []
    if not held:
        raise ConfigError("Invalid hexagons. None yet: no record of the archive has a position within 50 m.")
    if resolution is not None and resolution not in held:
        raise ConfigError(f"--resolution: Invalid resolution {resolution}. The archive's hexagons have {held}.")
    chosen = held[-1] if resolution is None else resolution
    months = sorted(m for m in hexagons["period"].unique() if _MONTH.match(m))
    if not months:
        raise ConfigError(
            "Invalid hexagons. They are of the whole period only, and open data is by month: "
            "rate the archive anew with haidang-analysis rate (without --no-months)."
        )
    closed = [month for month in months if closes_on(month) <= today]
    single = hexagons.filter(
        (pl.col("resolution") == chosen)
        & pl.col("period").is_in(closed)
        & (pl.col("operator") != ALL)
        & (pl.col("technology") != ALL)
    )
    named = _texts(single).rename({"period": "month"})
    shown = named.filter(enough() & pl.col("value").is_not_null())
    kpis = {str(kpi) for kpi in shown["kpi"].unique()} & {kpi.id for kpi in KPIS}
    cells_held = named.select(KEY).unique().height
    frame = _wide(shown, kpis)
    return Release(frame, kpis, chosen, closed, [m for m in months if m not in closed], cells_held - frame.height, 0, 0)


def _wide(shown: pl.DataFrame, kpis: set[str]) -> pl.DataFrame:
    """Turn one row a KPI into one row a hexagon, month, operator and technology; round every figure."""
    figures = [
        expression
        for kpi in KPIS
        if kpi.id in kpis
        for expression in (
            pl.col("value").filter(pl.col("kpi") == kpi.id).first().alias(value_name(kpi)),
            *([pl.col("p10").filter(pl.col("kpi") == kpi.id).first().alias(tenth_name(kpi))] if kpi.column else []),
        )
    ]
    counts = (
        pl.col("samples_count").max().alias("tests_count"),
        pl.col("devices_count").max(),
        pl.col("is_simulated").any(),
    )
    wide = shown.group_by(KEY).agg(*counts, *figures)
    order = columns(kpis)
    return wide.select(
        pl.col(c.name).round_sig_figs(SIGNIFICANT_DIGITS) if c.type == "number" else pl.col(c.name).cast(c.dtype)
        for c in order
    ).sort(KEY)


def follow(fresh: Release, previous: pl.DataFrame) -> Release:
    """Return the edition that may follow `previous`: its rows as they were, new rows beside them.

    Raises
    ------
    ConfigError
        Where the previous edition is of another resolution.
    """
    if previous.height and h3.get_resolution(previous["h3_cell"][0]) != fresh.resolution:
        raise ConfigError(
            "Invalid previous edition. It is of another resolution; two would uncover what was held back."
        )
    frame = fresh.frame
    kept = previous.join(frame.select(KEY), on=KEY, how="semi")
    new = frame.join(previous.select(KEY), on=KEY, how="anti")
    both = pl.concat([kept, new], how="diagonal_relaxed").sort(KEY)
    order = [c.name for c in columns(fresh.kpis) if c.name in both.columns]
    extra = [c for c in both.columns if c not in order]
    return fresh._replace(
        frame=both.select([*order, *extra]), kept_count=kept.height, withdrawn_count=previous.height - kept.height
    )
