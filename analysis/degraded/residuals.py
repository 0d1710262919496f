"""The state of eight weeks judged by its own baseline: one residual for each test and KPI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis.coverage.cells import RESOLUTION
from analysis.degraded.baseline import FEWEST_DAYS, LAG_DAYS, Values, expect, number
from analysis.degraded.holidays import HOLIDAYS, Holiday, is_holiday
from analysis.degraded.kpis import Watched, oriented
from analysis.partition import parent_cell
from analysis.technology import MOBILE


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


def prepare(state: pl.DataFrame, finest: str, calendar: Sequence[Holiday] = HOLIDAYS) -> pl.DataFrame:
    """Number groups, areas, devices at their places and holidays once for every KPI."""
    cell = parent_cell(state["h3_cell"].to_numpy(), RESOLUTION - 1)
    mobile = state.with_columns(pl.Series("place", cell.astype(np.int64))).filter(pl.col("technology").is_in(MOBILE))
    days = mobile["started_at"].dt.convert_time_zone("Asia/Ho_Chi_Minh").dt.date()
    off = {day: is_holiday(day, calendar) for day in days.unique().to_list()}
    holiday = days.replace_strict(off, return_dtype=pl.Boolean)
    group = number(mobile["operator"], mobile["technology"])
    return mobile.with_columns(
        pl.Series("group", group),
        pl.Series("area_number", number(mobile["operator"], mobile["technology"], mobile[finest].fill_null(""))),
        pl.Series("place_number", number(mobile["operator"], mobile["technology"], mobile["place"])),
        pl.Series(
            "device_number", number(mobile["operator"], mobile["technology"], mobile["probe_id"], mobile["place"])
        ),
        # People on holiday live a Sunday wherever they are.
        pl.when(holiday).then(144 + pl.col("hour") % 24).otherwise(pl.col("hour")).alias("hour"),
        holiday.alias("is_holiday"),
    ).with_row_index("test")


def judge(prepared: pl.DataFrame, today: datetime, row: Watched, exceptions: Sequence[Except] = ()) -> pl.DataFrame:
    """Judge the tests of one KPI.

    Parameters
    ----------
    prepared
        Rows of `prepare`.
    today
        Start of the current civil day; rows within `LAG_DAYS` before it are judged and not learnt from.
    row
        The KPI.
    exceptions
        Rows of degradations that last, or of before a new normal.

    Returns
    -------
    The rows that have the KPI and something to be compared with, with residual and deviation.
    """
    frame = prepared.filter(pl.col(row.kpi).is_not_null() & pl.col(row.kpi).is_finite())
    if frame.is_empty() or (today - frame["started_at"].min()) < timedelta(FEWEST_DAYS):  # type: ignore[operator]
        return frame.clear().with_columns(residual=pl.lit(0.0), deviation=pl.lit(1.0))
    learnt = (frame["started_at"] < today - timedelta(LAG_DAYS)) & ~frame["is_holiday"]
    for one in exceptions:
        if one.kpi == row.kpi:
            learnt &= ~_inside(frame, one)
    found = expect(
        Values(
            oriented(row, frame[row.kpi].to_numpy().astype(np.float64)),
            frame["group"].to_numpy(),
            frame["hour"].to_numpy().astype(np.int64),
            frame["area_number"].to_numpy(),
            frame["place_number"].to_numpy(),
            frame["device_number"].to_numpy(),
            learnt.to_numpy(),
        )
    )
    return frame.with_columns(
        pl.Series("residual", found.residual),
        pl.Series("deviation", found.deviation),
        pl.Series("known", found.is_known),
    ).filter(pl.col("known"))
