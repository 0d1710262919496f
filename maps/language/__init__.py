"""Every text people read, in Vietnamese and English, by one key; numbers and dates in the manner of each."""

from __future__ import annotations

import calendar
import json
from functools import cache
from pathlib import Path

CODES = ("vi", "en")
"""Vietnamese first: it is what opens where nothing was chosen."""


@cache
def texts(code: str) -> dict[str, str]:
    """Return the texts of a language by key."""
    loaded = json.loads((Path(__file__).parent / f"{code}.json").read_text("utf-8"))
    return {str(key): str(value) for key, value in loaded.items()}


def text(code: str, key: str, **values: object) -> str:
    """Return one text with its places filled.

    Examples
    --------
    >>> text('en', 'unit.more', count='54')
    '54 more needed'
    """
    return texts(code)[key].format(**values)


def number(code: str, value: float | None, digits: int = 0) -> str:
    """Return a number in the manner of a language; a dash where there is none.

    Examples
    --------
    >>> number('vi', 1234.5, 1), number('en', 1234.5, 1), number('vi', -3, 0), number('vi', None)
    ('1.234,5', '1,234.5', '\u22123', '–')
    """
    if value is None:
        return "–"
    plain = f"{abs(value):,.{digits}f}"
    if code == "vi":
        plain = plain.translate(str.maketrans(",.", ".,"))
    return ("\u2212" if value < 0 and any(c in plain for c in "123456789") else "") + plain


def month(code: str, period: str) -> str:
    """Return a month in words.

    Examples
    --------
    >>> month('vi', '2026-05'), month('en', '2026-05')
    ('tháng 5/2026', 'May 2026')
    """
    if len(period) != 7:
        return text(code, "period.all")
    year, number_of = period.split("-")
    if code == "vi":
        return f"tháng {int(number_of)}/{year}"
    return f"{calendar.month_name[int(number_of)]} {year}"
