"""A fire drill: a simulated city whose known degradation runs through the real stack, hour by hour.

What is degraded is simulated (`simulation.degradation`: 40 % of one operator's rates in one district for an hour), and
so is time: ten hours of records are sent in a minute or two. The drill's hours are always the same hours of the day,
the last that are over, and every day is an ordinary one, so that a drill at night or at Tết is the drill at noon in
June. Everything that judges, fires, groups and tells is real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from analysis import thresholds
from analysis.degraded.events import table
from analysis.degraded.holidays import CALENDARS
from analysis.degraded.run import Watcher
from archive.store import Archive
from collector import tables
from collector.sink import register
from simulation.city import City
from simulation.degradation import LOCAL, Degradation
from simulation.output import CollectorClient
from stack.run import Stack

AREA, OPERATOR, LEFT = "316", "Viettel", 0.6
COMMUNES = ("11755", "11761", "11824", "11836")
"""Of two districts; enough tests an hour in a city that is quick to make."""
RECORDS, DAYS, SEED = 140_000, 18, 7
"""Two weeks and two days are what the analysis must have learnt; 60 tests an hour and district."""
HOURS = 10
BEGIN = datetime(2026, 6, 11, 9, tzinfo=LOCAL)
"""When the fault begins in the city's own time."""


def shift_to(now: datetime) -> timedelta:
    """Return by how much the city's time is moved so that all of it is over by `now`, and was not a day before.

    Whole days: an hour of the day keeps its load, and no look of the analysis crosses midnight.

    Examples
    --------
    >>> str(BEGIN + shift_to(datetime(2026, 11, 22, 18, 59, tzinfo=LOCAL)))
    '2026-11-21 09:00:00+07:00'
    >>> str(BEGIN + shift_to(datetime(2026, 11, 22, 19, 0, tzinfo=LOCAL)))
    '2026-11-22 09:00:00+07:00'
    """
    return timedelta((now - (BEGIN + timedelta(hours=HOURS))).days)


class Drill:
    """The city's records: history, an hour of degradation, hours of recovery; all over by `now`."""

    def __init__(self, now: datetime) -> None:
        """Make the city; its time ends within the day before `now`."""
        fault = Degradation(AREA, OPERATOR, LEFT, BEGIN, BEGIN + timedelta(hours=1))
        scale = City.scaled(len(COMMUNES) / 114)
        self.city = City(SEED, communes=COMMUNES, scale=scale, degradations=[fault])
        made = pl.concat(self.city.records(RECORDS, days=DAYS, start=BEGIN.date() - timedelta(days=DAYS - 1)))
        shift = shift_to(now)
        # Without offices: hours pass in seconds here, and a line silent for hours has an alert of its own.
        self.records = made.with_columns(pl.col("started_at") + shift, organisation=pl.lit(None, pl.String)).sort(
            "started_at"
        )
        self.begin = BEGIN.astimezone(UTC) + shift

    def between(self, first: float, last: float) -> pl.DataFrame:
        """Return the records between two hours after the fault began."""
        started, hour = pl.col("started_at"), timedelta(hours=1)
        return self.records.filter((started >= self.begin + first * hour) & (started < self.begin + last * hour))

    def remember(self, stack: Stack) -> None:
        """Write what was before the fault straight into the archive."""
        with Archive(stack.archive, create=True) as archive:
            archive.set_layers(self.city.layers)
            archive.set_base_stations(self.city.stations)
            archive.append_frame(self.records.filter(pl.col("started_at") < self.begin))
            # InfluxDB begins with the drill: only who measured there lately is asked of it.
            tables.prepare(archive)
            register(archive, "influx", int(archive.setting("last_sequence") or 0))

    def send(self, stack: Stack, first: float, last: float) -> int:
        """Send hours through the collector's front door; return how many records."""
        frame = self.between(first, last)
        token = stack.folder / "secrets" / "admin_token"
        with CollectorClient(stack.url("collector"), token) as client:
            client.send(frame)
        return frame.height

    @contextmanager
    def watching(self, stack: Stack) -> Iterator[Callable[[float], list[dict[str, Any]]]]:
        """Yield one look of `haidang-analysis degraded --watch` as of an hour after the fault began."""
        with Archive(stack.archive) as archive:
            watcher = Watcher(archive, thresholds.load(), calendar=CALENDARS["none"])

            def look(hour: float) -> list[dict[str, Any]]:
                return table(watcher.look(self.begin + timedelta(hours=hour)).events).to_dicts()

            yield look
