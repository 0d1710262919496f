"""Public holidays on which people live another week: data, one row a span of days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple


class Holiday(NamedTuple):
    """First and last day of a holiday with the days around it on which people travel."""

    first: date
    last: date
    name_en: str
    name_vi: str


_TET = {2025: (1, 29), 2026: (2, 17), 2027: (2, 6), 2028: (1, 26), 2029: (2, 13), 2030: (2, 3)}
"""First day of the lunar year in Vietnam (UTC+7)."""
_KINGS = {2025: (4, 7), 2026: (4, 26), 2027: (4, 16), 2028: (4, 4), 2029: (4, 23), 2030: (4, 12)}
"""Tenth day of the third lunar month."""


def _holidays() -> tuple[Holiday, ...]:
    rows = []
    for year, (month, day) in _TET.items():
        tet = date(year, month, day)
        # People leave the cities up to a week before and come back up to a week after.
        rows.append(Holiday(tet - timedelta(7), tet + timedelta(7), "Tết", "Tết Nguyên đán"))
        kings = date(year, *_KINGS[year])
        rows += [
            Holiday(kings, kings, "Hùng Kings", "Giỗ Tổ Hùng Vương"),
            Holiday(date(year, 1, 1), date(year, 1, 1), "New Year", "Tết Dương lịch"),
            Holiday(date(year, 4, 30), date(year, 5, 1), "Reunification, Labour", "Giải phóng, Quốc tế lao động"),
            Holiday(date(year, 9, 1), date(year, 9, 3), "National Day", "Quốc khánh"),
        ]
    return tuple(sorted(rows))


HOLIDAYS = _holidays()
"""Labour Code 2019 (45/2019/QH14), article 112; lunar days by the Vietnamese calendar, read off and not computed."""
CALENDARS: dict[str, tuple[Holiday, ...]] = {"vn": HOLIDAYS, "none": ()}
"""Calendars by name; `none` takes every day for an ordinary one."""


def is_holiday(day: date, calendar: Sequence[Holiday] = HOLIDAYS) -> bool:
    """Tell whether a civil day is one.

    Examples
    --------
    >>> is_holiday(date(2026, 2, 17)), is_holiday(date(2026, 6, 10))
    (True, False)
    """
    return any(row.first <= day <= row.last for row in calendar)
