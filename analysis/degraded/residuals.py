"""The state of eight weeks judged by its own baseline: one residual for each test and KPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.coverage.cells import RESOLUTION
from analysis.degraded.baseline import FEWEST_DAYS, LAG_DAYS, Baseline, Ints, Sizes, Values, expect, fit
from analysis.degraded.holidays import HOLIDAYS, Holiday, is_holiday
from analysis.degraded.kpis import BY_KPI, Watched, oriented
from analysis.partition import parent_cell
from analysis.technology import MOBILE
from archive.layout import DEFAULT_TIME_ZONE

Hashes = npt.NDArray[np.uint64]


class Except(NamedTuple):
    """Rows that the baseline must not learn from, or must forget: a stream from an instant on, or until it."""

    column: str  # column of the area; empty for a whole operator
    area: str
    operator: str
    technology: str
    kpi: str
    since: datetime
    until: datetime | None


def _inside(frame: pl.DataFrame, one: Except) -> pl.Series:
    condition = (pl.col("operator") == one.operator) & (pl.col("technology") == one.technology)
    if one.column:
        condition &= pl.col(one.column) == one.area
    condition &= pl.col("started_at") >= one.since
    if one.until is not None:
        condition &= pl.col("started_at") < one.until
    return frame.select(condition.fill_null(False)).to_series()


class Books(NamedTuple):
    """Hashes in order of the groups, areas, places and devices that are known: their places are their numbers."""

    group: Hashes
    area: Hashes
    place: Hashes
    device: Hashes

    @property
    def sizes(self) -> Sizes:
        """Return how many there are, and one of each for what is not in the book."""
        return Sizes(*(len(own) + 1 for own in self))


def _hashes(mobile: pl.DataFrame, finest: str) -> list[Hashes]:
    # Hashes of 64 bits: among two million rows two distinct ones collide once in nine million runs.
    group = ["operator", "technology"]
    owners = (group, [*group, finest], [*group, "place"], [*group, "probe_id", "place"])
    return [mobile.select(own).fill_null("").hash_rows(seed=1).to_numpy() for own in owners]


def _mobile(state: pl.DataFrame) -> pl.DataFrame:
    cell = parent_cell(state["h3_cell"].to_numpy(), RESOLUTION - 1)
    return state.with_columns(pl.Series("place", cell.astype(np.int64))).filter(pl.col("technology").is_in(MOBILE))


def books(state: pl.DataFrame, finest: str) -> Books:
    """Number what there is in a state."""
    return Books(*(np.unique(own) for own in _hashes(_mobile(state), finest)))


def prepare(
    state: pl.DataFrame,
    finest: str,
    calendar: Sequence[Holiday] = HOLIDAYS,
    known: Books | None = None,
    zone: str = DEFAULT_TIME_ZONE,
) -> pl.DataFrame:
    """Number groups, areas, devices at their places and holidays once for every KPI.

    Parameters
    ----------
    state
        Rows of `compact.rolling`.
    finest
        Column of the finest layer.
    calendar
        Days on which people live another week.
    known
        Numbers given before; made from the state itself where there are none.
    zone
        Time zone in which a day is a holiday: the archive's.
    """
    known = known or books(state, finest)
    mobile = _mobile(state)
    days = mobile["started_at"].dt.convert_time_zone(zone).dt.date()
    off = {day: is_holiday(day, calendar) for day in days.unique().to_list()}
    holiday = days.replace_strict(off, return_dtype=pl.Boolean)
    names = ("group", "area_number", "place_number", "device_number")
    numbered = zip(names, known, _hashes(mobile, finest), strict=True)
    return mobile.with_columns(
        *(pl.Series(name, _number(book, own)) for name, book, own in numbered),
        # People on holiday live a Sunday wherever they are.
        pl.when(holiday).then(144 + pl.col("hour") % 24).otherwise(pl.col("hour")).alias("hour"),
        holiday.alias("is_holiday"),
    )


def _number(book: Hashes, own: Hashes) -> Ints:
    """Return the number of each hash in a book; the number after the last where it is not in it."""
    if not len(book):
        return np.zeros(len(own), np.int64)
    place = np.minimum(np.searchsorted(book, own), len(book) - 1)
    return np.where(book[place] == own, place, len(book)).astype(np.int64)


def _values(frame: pl.DataFrame, row: Watched) -> Values:
    numbers = ("group", "hour", "area_number", "place_number", "device_number")
    return Values(
        oriented(row, frame[row.kpi].to_numpy().astype(np.float64)),
        *(frame[name].to_numpy().astype(np.int64) for name in numbers),
    )


def _measured(prepared: pl.DataFrame, row: Watched) -> pl.DataFrame:
    return prepared.filter(pl.col(row.kpi).is_not_null() & pl.col(row.kpi).is_finite())


def learn(
    prepared: pl.DataFrame, sizes: Sizes, today: datetime, row: Watched, exceptions: Sequence[Except] = ()
) -> Baseline | None:
    """Learn the baseline of one KPI; None where there is too little history.

    Parameters
    ----------
    prepared
        Rows of `prepare`.
    sizes
        Of the books they were numbered by.
    today
        Start of the current civil day; rows within `LAG_DAYS` before it are not learnt from.
    row
        The KPI.
    exceptions
        Rows of degradations that last, or of before a new normal.
    """
    frame = _measured(prepared, row)
    if frame.is_empty() or (today - frame["started_at"].min()) < timedelta(FEWEST_DAYS):  # type: ignore[operator]
        return None
    learnt = (frame["started_at"] < today - timedelta(LAG_DAYS)) & ~frame["is_holiday"]
    for one in exceptions:
        if one.kpi == row.kpi:
            learnt &= ~_inside(frame, one)
    return fit(_values(frame.filter(learnt), row), sizes)


def judge(prepared: pl.DataFrame, baselines: Mapping[str, Baseline | None]) -> pl.DataFrame:
    """Judge tests: `residual_<kpi>` and `deviation_<kpi>` beside each, null where nothing is expected.

    Parameters
    ----------
    prepared
        Rows of `prepare`, numbered by the books the baselines were learnt with.
    baselines
        By KPI.
    """
    judged = prepared.drop("place", "group", "area_number", "place_number", "device_number", "hour", "is_holiday")
    columns = []
    for kpi, baseline in baselines.items():
        row = BY_KPI[kpi]
        has = (prepared[kpi].is_not_null() & prepared[kpi].is_finite()).fill_null(False)
        residual, deviation = np.full(prepared.height, np.nan), np.full(prepared.height, np.nan)
        if baseline is not None:
            found = expect(baseline, _values(prepared.filter(has), row))
            rows = np.flatnonzero(has.to_numpy())[found.is_known]
            residual[rows], deviation[rows] = found.residual[found.is_known], found.deviation[found.is_known]
        columns += [pl.Series(f"residual_{kpi}", residual), pl.Series(f"deviation_{kpi}", deviation)]
    return judged.with_columns(column.fill_nan(None) for column in columns).drop(*baselines)
