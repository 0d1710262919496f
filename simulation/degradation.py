"""Known degradations: an area and operator whose rates fall to a factor from an instant on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from measurement.errors import ConfigError
from measurement.geography import Layer
from simulation.operators import OPERATORS

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LOCAL = timezone(timedelta(hours=7))
_UNTIL = re.compile(r":(?=\d{4}-)")


class Degradation(NamedTuple):
    """`area` is a key of any layer or `*`, `operator` a name or `*`; `factor` is what is left of the rate."""

    area: str
    operator: str
    factor: float
    since: datetime
    until: datetime | None = None


def _instant(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--degrade {option}: Invalid instant {text!r}. A date or time such as 2026-06-10T08."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=LOCAL)


def parse(option: str, layers: Sequence[Layer]) -> Degradation:
    """Read AREA:OPERATOR:FACTOR:FROM[:UNTIL]; times without a zone are local.

    Raises
    ------
    ConfigError
        Naming what is wrong.

    Examples
    --------
    >>> one = parse('*:Viettel:0.7:2026-06-10T08:00:2026-06-12', [])
    >>> one.since.isoformat(), one.until.isoformat()
    ('2026-06-10T08:00:00+07:00', '2026-06-12T00:00:00+07:00')
    """
    parts = option.split(":", 3)
    if len(parts) != 4:
        raise ConfigError(f"--degrade {option}: Invalid degradation. AREA:OPERATOR:FACTOR:FROM[:UNTIL].")
    area, operator, factor, span = parts
    if area != "*" and not any(area == known.key for layer in layers for known in layer.areas):
        raise ConfigError(f"--degrade {option}: Invalid area {area!r}. No layer has it.")
    names = [known.name for known in OPERATORS]
    if operator != "*" and operator not in names:
        raise ConfigError(f"--degrade {option}: Invalid operator {operator!r}. One of {', '.join(names)} or *.")
    try:
        left = float(factor)
    except ValueError:
        left = -1.0
    if not 0 < left <= 10:
        raise ConfigError(f"--degrade {option}: Invalid factor {factor!r}. Above 0, at most 10; 0.7 takes 30 % away.")
    since, _, until = _UNTIL.sub("..", span, count=1).partition("..")
    end = _instant(until, option) if until else None
    return Degradation(area, operator, left, _instant(since, option), end)


def factors(
    degradations: Sequence[Degradation],
    layers: Sequence[Layer],
    areas: Integers,
    operator: Integers,
    unix_s: Reals,
) -> Reals:
    """Return what is left of the rate of each test; `areas` (n, layers) are numbers within each layer."""
    left = np.ones(len(unix_s))
    for one in degradations:
        until = np.inf if one.until is None else one.until.timestamp()
        hit = (unix_s >= one.since.timestamp()) & (unix_s < until)
        if one.operator != "*":
            hit &= operator == [known.name for known in OPERATORS].index(one.operator)
        if one.area != "*":
            hit &= _within(one.area, layers, areas)
        left[hit] *= one.factor
    return left


def _within(key: str, layers: Sequence[Layer], areas: Integers) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(areas), dtype=bool)
    for column, layer in enumerate(layers):
        numbers = [number for number, area in enumerate(layer.areas) if area.key == key]
        inside |= np.isin(areas[:, column], numbers)
    return inside
