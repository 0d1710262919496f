"""Events of sudden falls: sized by what was tested since, blamed, and followed like every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from analysis.degraded import blame, confirm
from analysis.degraded.events import Event, Stream
from analysis.degraded.kpis import BY_KPI, Watched, drop
from analysis.degraded.streams import HORIZON_HOURS, STATIONS, collapse, column_of
from analysis.degraded.sudden import REFERENCE, TESTS, WAYS, Sudden, falls, limit, scores, standards

_MONTH = timedelta(days=30)


def _named(judged: pl.DataFrame, layer: str) -> pl.DataFrame:
    column = column_of(layer)
    return judged.with_columns((pl.col(column) if column else pl.lit("*")).alias("area")).drop_nulls("area")


def _event(row: Watched, judged: pl.DataFrame, layer: str, fall: Sudden, now: datetime) -> Event | None:
    """Size one fall in one KPI; None where it is no fall there that counts."""
    since = now - timedelta(hours=2 * HORIZON_HOURS)
    seen = _named(judged.filter(pl.col("started_at").is_between(since, now)), layer)
    group = (pl.col("operator") == fall.operator) & (pl.col("technology") == fall.technology)
    own = collapse(seen.filter((pl.col("area") == fall.area) & group), now).sort("started_at")
    before, after = (
        own.filter(side) for side in (pl.col("started_at") < fall.since, pl.col("started_at") >= fall.since)
    )
    if before.height < confirm.SAMPLES or after.height < TESTS - 1:
        return None
    shift = confirm.shift(before["residual"].to_numpy(), after["residual"].to_numpy())
    size = drop(row, shift.estimate)
    if size < row.fall:
        return None
    others = collapse(seen.filter((pl.col("started_at") >= fall.since) & (pl.col("area") != fall.area)), now)
    guilty = blame.judge(before, after, others, fall.operator, -shift.estimate)
    return Event(
        Stream(layer, fall.area, fall.operator, fall.technology, row.kpi), row.severity(size), fall.since, size,
        drop(row, shift.high), drop(row, shift.low), float(np.exp(-fall.height)), guilty.what, guilty.name,
        int(after["tests"].sum()), after["probe_id"].n_unique(), "", now, None, None, None,
        bool(after["is_simulated"].any()),
    )  # fmt: skip


def look(
    judged: Mapping[str, pl.DataFrame], layers: Sequence[str], events: Sequence[Event], now: datetime
) -> list[Event]:
    """Look once for sudden falls of the rates.

    Parameters
    ----------
    judged
        Tests with residuals (`residuals.judge`) by KPI.
    layers
        Layers of areas, `base_stations`, `operators`.
    events
        All events so far; a stream that is degraded already is not looked at.
    now
        Tests after it are not seen.

    Returns
    -------
    The new events: one a stream, of the KPI that fell most.
    """
    tests = standards(judged, now)
    if tests is None:
        return []
    lasting = {event.stream for event in events if event.resolved_at is None}
    ended = {event.stream: event.resolved_at for event in events if event.resolved_at is not None}
    height = limit(tests.height * len(WAYS) * (_MONTH / REFERENCE))
    found: dict[Stream, Event] = {}
    for way in WAYS:
        scored = scores(tests, way)
        for layer in layers:
            if layer == STATIONS:
                continue  # a station's tests come from few places: its hours tell more than its tests
            over = {one[1:4]: at for one, at in ended.items() if one.layer == layer and one.kpi in way}
            known = {one[1:4] for one in (*lasting, *found) if one.layer == layer and one.kpi in way}
            for fall in falls(scored, layer, now, height, over):
                if fall[:3] not in known:
                    sized = [_event(BY_KPI[kpi], judged[kpi], layer, fall, now) for kpi in way if kpi in judged]
                    worst = sorted((event for event in sized if event is not None), key=lambda event: -event.drop_ratio)
                    found |= {event.stream: event for event in worst[:1]}
    return _together(list(found.values()), lasting)


def _together(fresh: list[Event], lasting: set[Stream]) -> list[Event]:
    """Name for each event the areas of its layer that share the fall."""
    fallen = {event.stream for event in fresh} | lasting
    return [
        event._replace(neighbours=",".join(sorted({
            one.area for one in fallen if one.area != event.stream.area and one[2:4] == event.stream[2:4]
            and one.layer == event.stream.layer
        })))
        for event in fresh
    ]  # fmt: skip
