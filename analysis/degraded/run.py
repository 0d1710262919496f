"""Look at an archive: bring the rolling state up to date, judge it, write what is degraded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from analysis.degraded import early
from analysis.degraded import events as kept
from analysis.degraded.compact import rolling
from analysis.degraded.detect import look
from analysis.degraded.events import Event
from analysis.degraded.holidays import HOLIDAYS, Holiday
from analysis.degraded.kpis import WATCHED, Watched
from analysis.degraded.residuals import judge, prepare
from analysis.degraded.streams import OPERATORS, STATIONS, finest
from analysis.thresholds import Thresholds
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive

Progress = Callable[[str, int, int], None]


class Seen(NamedTuple):
    """What a look found: events that last or ended lately, tests looked at, the oldest of them."""

    events: list[Event]
    tests_count: int
    first: datetime | None


def newest(archive: Archive) -> datetime | None:
    """Return the start of the newest test of an archive."""
    with archive.snapshot() as snapshot:
        if not snapshot.days:
            return None
        latest = snapshot.frame(snapshot.days[-1], ["started_at"])["started_at"].max()
    return latest if isinstance(latest, datetime) else None


def once(
    archive: Archive, now: datetime, limits: Thresholds, kpis: Sequence[Watched] = WATCHED,
    progress: Progress = lambda _what, _done, _total: None, calendar: Sequence[Holiday] = HOLIDAYS,
) -> Seen:  # fmt: skip
    """Look once and write the tables `degraded` and `degraded_events`."""
    zone = ZoneInfo(archive.setting("time_zone") or DEFAULT_TIME_ZONE)
    local = now.astimezone(zone)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    now = now.astimezone(UTC)
    state = rolling(archive, local.date(), limits, progress)
    events = kept.events_of(archive.read_result("degraded_events"))
    layers = archive.layer_keys()
    if state.height and layers:
        prepared = prepare(state.filter(pl.col("started_at") <= now), finest(layers, state), calendar)
        watched = [*layers, STATIONS, OPERATORS]
        found = [event for event in events if event.stream.kpi not in {row.kpi for row in kpis}]
        judged = {}
        for done, row in enumerate(kpis, 1):
            own = [event for event in events if event.stream.kpi == row.kpi]
            judged[row.kpi] = judge(prepared, today, row, kept.exceptions(own))
            found += look(judged[row.kpi], row, watched, own, now)
            progress("KPIs", done, len(kpis))
        events = found + early.look(judged, watched, found, now)
    archive.write_result("degraded_events", kept.table(events))
    shown = kept.shown(events, now)
    archive.write_result("degraded", kept.table(shown))
    first = state["started_at"].min() if state.height else None
    return Seen(shown, state.height, first if isinstance(first, datetime) else None)


def forget(event: Event, now: datetime) -> bool:
    """Tell whether an event is too old to matter to any baseline."""
    return event.resolved_at is not None and now - event.resolved_at > timedelta(weeks=9)
