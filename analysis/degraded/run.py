"""Look at an archive: bring the rolling state up to date, judge it, write what is degraded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from analysis.degraded import early
from analysis.degraded import events as kept
from analysis.degraded.baseline import Baseline
from analysis.degraded.compact import files, read
from analysis.degraded.detect import look
from analysis.degraded.events import Event
from analysis.degraded.holidays import HOLIDAYS, Holiday
from analysis.degraded.judged import HORIZON_HOURS, OPERATORS, STATIONS, Day, Judged, Past, finest
from analysis.degraded.kpis import WATCHED, Watched
from analysis.degraded.residuals import Books, books, judge, learn, prepare
from analysis.thresholds import Thresholds
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive

Progress = Callable[[str, int, int], None]


class Seen(NamedTuple):
    """What a look found: events that last or ended lately, tests looked at, the oldest of them."""

    events: list[Event]
    tests_count: int
    first: datetime | None


class Learnt(NamedTuple):
    """What a civil day is judged by. A degradation that became the new normal makes it stale at once."""

    day: date
    normals_count: int
    finest: str
    books: Books
    baselines: dict[str, Baseline | None]
    tests_count: int
    first: datetime | None


def newest(archive: Archive) -> datetime | None:
    """Return the start of the newest test of an archive."""
    with archive.snapshot() as snapshot:
        if not snapshot.days:
            return None
        latest = snapshot.frame(snapshot.days[-1], ["started_at"])["started_at"].max()
    return latest if isinstance(latest, datetime) else None


class Watcher:
    """Looks at an archive again and again: learns once a civil day, and judges anew only days that changed."""

    def __init__(
        self, archive: Archive, limits: Thresholds, kpis: Sequence[Watched] = WATCHED,
        progress: Progress = lambda _what, _done, _total: None, calendar: Sequence[Holiday] = HOLIDAYS,
    ) -> None:  # fmt: skip
        """Say what is watched."""
        self._archive, self._limits, self._kpis = archive, limits, kpis
        self._progress, self._calendar = progress, calendar
        self._learnt: Learnt | None = None
        self._days: dict[Path, Day] = {}
        self._past = Past([])

    @property
    def _zone(self) -> str:
        # Asked each time: a watcher may have begun before the collector has fixed it.
        return self._archive.setting("time_zone") or DEFAULT_TIME_ZONE

    def look(self, now: datetime) -> Seen:
        """Look once and write the tables `degraded` and `degraded_events`."""
        zone = ZoneInfo(self._zone)
        local, now = now.astimezone(zone), now.astimezone(UTC)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        paths = files(self._archive, local.date(), self._limits, self._progress)
        events = kept.events_of(self._archive.read_result("degraded_events"))
        layers = self._archive.layer_keys()
        learnt = self._learn(paths, layers, events, local.date(), midnight, now) if layers and paths else None
        if learnt is not None:
            judged = self._judge(learnt, paths, local.date(), now)
            events = self._events(judged, [*layers, STATIONS, OPERATORS], events)
        self._archive.write_result("degraded_events", kept.table(events))
        shown = kept.shown(events, now)
        self._archive.write_result("degraded", kept.table(shown))
        return Seen(shown, learnt.tests_count if learnt else 0, learnt.first if learnt else None)

    def _learn(
        self, paths: dict[date, Path], layers: list[str], events: list[Event], day: date, midnight: datetime,
        now: datetime,
    ) -> Learnt | None:  # fmt: skip
        """Return what today is judged by, learnt anew on a new day."""
        normals = sum(event.resolution == "new_normal" for event in events)
        if self._learnt is not None and self._learnt[:2] == (day, normals):
            return self._learnt
        state = read(paths.values())
        if state is None:
            return None
        state = state.filter(pl.col("started_at") <= now)
        area = finest(layers, state)
        known = books(state, area)
        prepared = prepare(state, area, self._calendar, known, self._zone)
        baselines = {}
        for done, row in enumerate(self._kpis, 1):
            own = [event for event in events if event.stream.kpi == row.kpi]
            baselines[row.kpi] = learn(prepared, known.sizes, midnight, row, kept.exceptions(own))
            self._progress("KPIs", done, len(self._kpis))
        first = state["started_at"].min()
        self._days, self._past = {}, Past([])
        self._learnt = Learnt(
            day, normals, area, known, baselines, state.height, first if isinstance(first, datetime) else None
        )
        return self._learnt

    def _judge(self, learnt: Learnt, paths: dict[date, Path], today: date, now: datetime) -> Judged:
        """Return the judged tests of four weeks; today's are judged at each look."""
        first = today - timedelta(hours=2 * HORIZON_HOURS)
        over = {path for day, path in paths.items() if first <= day < today}
        if over != set(self._days):
            self._days = {path: self._days.get(path) or self._day(learnt, path, now) for path in sorted(over)}
            self._past = Past(list(self._days.values()))
        fresh = self._day(learnt, paths[today], now) if today in paths else Day(pl.DataFrame({"started_at": []}))
        return Judged(self._past, fresh, now)

    def _day(self, learnt: Learnt, path: Path, now: datetime) -> Day:
        state = pl.read_ipc(path).filter(pl.col("started_at") <= now)
        return Day(judge(prepare(state, learnt.finest, self._calendar, learnt.books, self._zone), learnt.baselines))

    def _events(self, judged: Judged, layers: list[str], events: list[Event]) -> list[Event]:
        """Return the events after a look."""
        found = [event for event in events if event.stream.kpi not in {row.kpi for row in self._kpis}]
        for row in self._kpis:
            found += look(judged, row, layers, [event for event in events if event.stream.kpi == row.kpi])
        return found + early.look(judged, layers, found)
