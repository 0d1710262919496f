"""Degradations as they are kept: opened when confirmed, held by hysteresis, over when recovered or learnt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from analysis import results
from analysis.degraded.judged import column_of
from analysis.degraded.residuals import Except

NEW_NORMAL = timedelta(days=14)
"""A degradation that lasts this long is how things are: the baseline learns it and the event ends."""
CALM = timedelta(minutes=30)
"""It must look recovered this long before it is over."""
SHOWN = timedelta(days=7)
"""Ended events stay in the table with severity 0 this long."""


class Stream(NamedTuple):
    """What an event is about."""

    layer: str
    area: str
    operator: str
    technology: str
    kpi: str


class Event(NamedTuple):
    """One degradation; the fields are those of the `degraded` table."""

    stream: Stream
    severity: int
    since: datetime
    drop_ratio: float
    low: float
    high: float
    q_value: float
    blame: str
    blamed: str | None
    samples_count: int
    devices_count: int
    neighbours: str
    confirmed_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    calm_since: datetime | None
    is_simulated: bool


def together(stream: Stream, fallen: Iterable[Stream]) -> str:
    """Name the other areas of a stream's layer that fell with it, comma separated."""
    return ",".join(sorted({one.area for one in fallen if one != stream and one._replace(area=stream.area) == stream}))


def end(event: Event, now: datetime, resolution: str) -> Event:
    """Return the event as over."""
    return event._replace(severity=0, resolved_at=now, resolution=resolution)


def calmed(event: Event, is_calm: bool, now: datetime) -> Event:
    """Return the event after one look that found it calm or not; over when it has been calm long enough."""
    if not is_calm:
        return event._replace(calm_since=None)
    since = event.calm_since or now
    return end(event, now, "recovered") if now - since >= CALM else event._replace(calm_since=since)


def exceptions(events: Iterable[Event]) -> list[Except]:
    """Return what the baseline must not learn: a degradation while it lasted; and what was before a new normal."""
    found = []
    for event in events:
        stream = event.stream
        where = (column_of(stream.layer), stream.area, stream.operator, stream.technology, stream.kpi)
        if event.resolution == "new_normal":
            found.append(Except(*where, datetime.min.replace(tzinfo=event.since.tzinfo), event.since))
        else:
            found.append(Except(*where, event.since, event.resolved_at))
    return found


def table(events: Iterable[Event]) -> pl.DataFrame:
    """Return events as rows of the `degraded` table, the worst last (readers that keep one keep that)."""
    rows = [{**event.stream._asdict(), **event._asdict()} for event in events]
    for row in rows:
        row.pop("stream")
    frame = pl.DataFrame(rows, schema=results.schema("degraded"), orient="row") if rows else None
    if frame is None:
        return pl.DataFrame(schema=results.schema("degraded"))
    return frame.sort("severity", "layer", "area", "operator", "technology", "kpi", "since")


def events_of(frame: pl.DataFrame | None) -> list[Event]:
    """Return the events of a table."""
    if frame is None:
        return []
    return [
        Event(Stream(*(row[name] for name in Stream._fields)), *(row[name] for name in Event._fields[1:]))
        for row in results.shape("degraded_events", frame).iter_rows(named=True)
    ]


def shown(events: Iterable[Event], now: datetime) -> list[Event]:
    """Return the events that last and those that ended lately."""
    return [event for event in events if event.resolved_at is None or now - event.resolved_at <= SHOWN]
