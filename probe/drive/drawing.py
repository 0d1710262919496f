"""Drawing with characters: a track in braille dots coloured by signal, a bar of a level, a spark line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, radians
from typing import NamedTuple

# Lower bound of RSRP and its colour: the steps drive testers use.
LEVELS = ((-80.0, "green"), (-90.0, "chartreuse3"), (-100.0, "yellow"), (-110.0, "dark_orange"), (-200.0, "red"))
NO_SERVICE = "bright_black"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # braille: two columns, four rows
_SPARKS = "▁▂▃▄▅▆▇█"


class Cell(NamedTuple):
    """One character and its colour."""

    character: str
    colour: str


def colour_of(rsrp_dbm: float | None) -> str:
    """Return the colour of a level.

    >>> colour_of(-85), colour_of(-115), colour_of(None)
    ('chartreuse3', 'red', 'bright_black')
    """
    if rsrp_dbm is None:
        return NO_SERVICE
    return next(colour for low, colour in LEVELS if rsrp_dbm >= low)


def track(points: Sequence[tuple[float, float, float | None]], width: int, height: int) -> list[list[Cell]]:
    """Draw (longitude, latitude, RSRP) north up, equal scale both ways, the newest place marked."""
    rows = [[Cell(" ", NO_SERVICE)] * width for _ in range(height)]
    if not points or width < 1 or height < 1:
        return rows
    shrink = max(0.01, cos(radians(points[-1][1])))
    xs, ys = [x * shrink for x, _, _ in points], [y for _, y, _ in points]
    span = _span(xs, ys, width, height)
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    dots: dict[tuple[int, int], tuple[int, str]] = {}
    before: tuple[float, float] | None = None
    place = (0, 0)
    for x, y, (_, _, level) in zip(xs, ys, points, strict=True):
        here = (width + (x - middle_x) / span, 2 * height - (y - middle_y) / span)
        for column, row in _between(before, here):
            column = min(2 * width - 1, max(0, column))
            row = min(4 * height - 1, max(0, row))
            place = (row // 4, column // 2)
            dots[place] = (dots.get(place, (0, ""))[0] | _DOTS[row % 4][column % 2], colour_of(level))
        before = here
    for (row, column), (mask, colour) in dots.items():
        rows[row][column] = Cell(chr(0x2800 + mask), colour)
    rows[place[0]][place[1]] = Cell("●", "bold white")
    return rows


def _span(xs: Sequence[float], ys: Sequence[float], width: int, height: int) -> float:
    """Return degrees of latitude that one dot covers; at least 20 m across, so that rest is no wandering."""
    return max((max(xs) - min(xs)) / (2 * width), (max(ys) - min(ys)) / (4 * height), 20 / 111_195 / (2 * width)) * 1.02


def across_m(points: Sequence[tuple[float, float, float | None]], width: int, height: int) -> float:
    """Return how many metres a track's drawing covers from west to east."""
    if not points:
        return 0.0
    shrink = max(0.01, cos(radians(points[-1][1])))
    return _span([x * shrink for x, _, _ in points], [y for _, y, _ in points], width, height) * 2 * width * 111_195


def _between(before: tuple[float, float] | None, here: tuple[float, float]) -> Iterator[tuple[int, int]]:
    """Yield the dots from one place to the next; a jump of over forty dots is a gap, not a way."""
    if before is not None:
        steps = int(max(abs(here[0] - before[0]), abs(here[1] - before[1])))
        if steps <= 40:
            for step in range(1, steps):
                share = step / steps
                yield tuple(int(b + (h - b) * share) for b, h in zip(before, here, strict=True))  # type: ignore[misc]
    yield int(here[0]), int(here[1])


def bar(value: float | None, low: float, high: float, width: int) -> str:
    """Draw a level as a bar.

    >>> bar(-95, -140, -50, 10)
    '█████░░░░░'
    """
    if value is None:
        return "░" * width
    filled = round(width * min(1.0, max(0.0, (value - low) / (high - low))))
    return "█" * filled + "░" * (width - filled)


def spark(values: Sequence[float | None], low: float, high: float) -> str:
    """Draw a series as a spark line; a gap is a space.

    >>> spark([-140, None, -50], -140, -50)
    '▁ █'
    """
    top = len(_SPARKS) - 1
    return "".join(
        " " if v is None else _SPARKS[min(top, max(0, round(top * (v - low) / (high - low))))] for v in values
    )
