"""Screens: which rules a batch of records can break at all, told from whole columns.

Asking every rule of every record costs more than decoding them. Of most batches a look at the largest and the smallest
value of a column shows that a rule cannot apply to any of its records. A screen may pass a rule that then finds
nothing; it must never leave out one that would find something. A rule without a screen is always asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Columns = Mapping[str, Sequence[Any]]
"""Values by archive name, None where absent; a column wholly absent may be missing. Fields of the radio samples of all
records stand end to end under names such as `radio.rsrp_dbm`."""
Screen = Callable[[Columns], bool]
"""Returns whether any of the records may break the rule."""


def known(columns: Columns, name: str) -> Sequence[Any]:
    """Return the values of a column that are not absent."""
    values = columns.get(name, ())
    return [value for value in values if value is not None] if None in values else values


def always(_: Columns) -> bool:
    """Ask the rule of every record."""
    return True


def above(limit: float, *names: str) -> Screen:
    """Screen a rule that needs a value above `limit` in one of the columns.

    Examples
    --------
    >>> above(50, 'position_speed_mps')({'position_speed_mps': [3.0, None, 51.0]})
    True
    """
    return lambda columns: any(max(known(columns, name), default=limit) > limit for name in names)


def below(limit: float, *names: str) -> Screen:
    """Screen a rule that needs a value below `limit` in one of the columns."""
    return lambda columns: any(min(known(columns, name), default=limit) < limit for name in names)


def holds(name: str, *values: Any) -> Screen:
    """Screen a rule that needs one of some values in a column."""
    return lambda columns: any(value in columns.get(name, ()) for value in values)


def either(*screens: Screen) -> Screen:
    """Pass what any of the screens passes."""
    return lambda columns: any(screen(columns) for screen in screens)


def crossed(*pairs: tuple[str, str]) -> Screen:
    """Screen a rule that needs the first of two columns above the second in some row."""

    def screen(columns: Columns) -> bool:
        return any(
            low is not None and high is not None and low > high
            for first, second in pairs
            for low, high in zip(columns.get(first, ()), columns.get(second, ()), strict=False)
        )

    return screen
