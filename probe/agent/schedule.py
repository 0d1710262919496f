"""When to test: memoryless around a mean interval, everywhere or within windows of the week.

Memoryless intervals (exponential) see the network as it is on average and never beat with what is periodic in it
(RFC 2330 11.1.1).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta, tzinfo
from typing import NamedTuple

from measurement.errors import ConfigError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK_S = 7 * 86_400.0
MIN_INTERVAL_S = 30.0  # QCVN: at least 30 s between two tests of one device
_WINDOW = re.compile(r"^(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+)?(?P<from>\d{2}:\d{2})-(?P<to>\d{2}:\d{2})$")


class Window(NamedTuple):
    """Days of the week (Monday 0) and the local hours between which tests may start; over midnight where to < from."""

    days: frozenset[int]
    begin: time
    end: time

    def spans(self, day: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the span that begins on the day of `day`, where there is one."""
        if day.weekday() in self.days:
            begin = day.replace(hour=self.begin.hour, minute=self.begin.minute, second=0, microsecond=0)
            end = day.replace(hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0)
            yield begin, end if self.end > self.begin else end + timedelta(days=1)


def parse_window(text: str) -> Window:
    """Read `07:00-09:00`, `sat 10:00-12:00` or `mon-fri 22:00-02:00`.

    Raises
    ------
    ConfigError
        Where the text is none of these.
    """
    match = _WINDOW.match(text.strip().lower())
    try:
        if match is None:
            raise ValueError
        begin, end = time.fromisoformat(match["from"]), time.fromisoformat(match["to"])
        first = DAYS.index(match["first"]) if match["first"] else 0
        last = DAYS.index(match["last"]) if match["last"] else (first if match["first"] else 6)
    except ValueError:
        raise ConfigError(f"Invalid window {text!r}. Such as '07:00-09:00' or 'mon-fri 17:00-22:00'.") from None
    if begin == end:
        raise ConfigError(f"Invalid window {text!r}. It must begin and end at different times.")
    length = (last - first) % 7 + 1
    return Window(frozenset((first + i) % 7 for i in range(length)), begin, end)


class Schedule:
    """Draws the time of the next test."""

    def __init__(
        self,
        mean_interval_s: float,
        windows: Sequence[Window] = (),
        *,
        daily: Sequence[time] = (),
        zone: tzinfo | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._daily = tuple(daily)
        self.mean_interval_s = max(MIN_INTERVAL_S, mean_interval_s)
        self.windows, self._zone, self._rng = tuple(windows), zone, rng or random.Random()

    def delay_s(self, now: datetime, stretch: float = 1.0) -> float:
        """Return the seconds from now to the next test; `stretch` ≥ 1 thins the schedule.

        The draw passes within the windows only: closed hours are skipped, not spent. Never under 30 s.
        """
        if self._daily:
            return self._until_daily_s(now)
        mean = self.mean_interval_s * max(1.0, stretch) - MIN_INTERVAL_S
        open_s = MIN_INTERVAL_S + (self._rng.expovariate(1 / mean) if mean > 0 else 0.0)
        if not self.windows:
            return open_s
        weeks, open_s = divmod(open_s, self.open_share() * WEEK_S)
        for begin, end in self._open_spans(now):
            length = (end - begin).total_seconds()
            if open_s < length:
                return weeks * WEEK_S + (begin - now).total_seconds() + open_s
            open_s -= length
        raise AssertionError("a window comes every week")

    def _until_daily_s(self, now: datetime) -> float:
        """Return the seconds to the next of the day's times, plus up to a minute so that no fleet starts at once."""
        local = now.astimezone(self._zone)
        moments = (
            _plus(local, day).replace(hour=t.hour, minute=t.minute, second=0, microsecond=0)
            for day in (0, 1)
            for t in self._daily
        )
        later = min(moment for moment in moments if moment > local)
        return (later - local).total_seconds() + self._rng.uniform(0, 60)

    def open_share(self) -> float:
        """Return the share of the week in which tests may start."""
        if not self.windows:
            return 1.0
        monday = datetime(2024, 1, 1)
        spans = merged(span for day in range(-1, 7) for w in self.windows for span in w.spans(_plus(monday, day)))
        week = (monday, _plus(monday, 7))
        inside = ((max(b, week[0]), min(e, week[1])) for b, e in spans)
        return sum(max(0.0, (e - b).total_seconds()) for b, e in inside) / WEEK_S

    def _open_spans(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        local = now.astimezone(self._zone)
        for week in range(0, 3):
            days = range(7 * week - 1, 7 * week + 7) if week == 0 else range(7 * week, 7 * week + 7)
            spans = (span for day in days for window in self.windows for span in window.spans(_plus(local, day)))
            for begin, end in merged(spans):
                if end > local:
                    yield max(begin, local), end


def merged(spans: Iterator[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return spans in order, those that touch joined."""
    result: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((begin, end))
    return result


def _plus(day: datetime, days: int) -> datetime:
    return day + timedelta(days=days)
