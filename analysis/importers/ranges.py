"""The record's own ranges, applied to whole columns: what the decoder refuses in one record is refused in a million.

The table is read from `measurement.record` and `measurement.rules`; there is no second list of limits.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import polars as pl

from analysis.importers.account import Account
from measurement.columns import BY_NAME, struct_fields
from measurement.record import RadioSample, Record
from measurement.rules import LEG_RANGES
from measurement.vocabulary import Leg


class Range(NamedTuple):
    """Closed range of a column; None is open."""

    low: float | None
    high: float | None

    def __str__(self) -> str:
        low = "−∞" if self.low is None else f"{self.low:g}"
        return f"{low}…{'∞' if self.high is None else format(self.high, 'g')}"


def _meta(hint: Any) -> msgspec.Meta | None:
    if get_origin(hint) is not None and hasattr(hint, "__metadata__"):
        return next((m for m in hint.__metadata__ if isinstance(m, msgspec.Meta)), None)
    return next((found for arg in get_args(hint) if (found := _meta(arg)) is not None), None)


@cache
def field_range(struct: type[msgspec.Struct], path: tuple[str, ...]) -> Range | None:
    """Return the range that the record's type gives a field, None where it gives none."""
    head, *rest = path
    if rest:
        return field_range(struct_fields(struct)[head], tuple(rest))
    meta = _meta(get_type_hints(struct, include_extras=True)[head])
    if meta is None:
        return None
    low = meta.ge if meta.ge is not None else meta.gt
    high = meta.le if meta.le is not None else meta.lt
    return None if low is None and high is None else Range(low, high)


@cache
def column_range(name: str) -> Range | None:
    """Return the range of an archive column."""
    if name in BY_NAME and BY_NAME[name].path:
        return field_range(Record, BY_NAME[name].path)
    return None


@cache
def leg_range(field: str, leg: Leg) -> Range | None:
    """Return the range of a radio field on a leg: the narrower of the field's and the leg's."""
    general = field_range(RadioSample, (field,))
    narrow = next((r for r in LEG_RANGES if r.field == field and r.leg is leg), None)
    return general if narrow is None else Range(narrow.low, narrow.high)


def within(frame: pl.DataFrame, name: str, allowed: Range | None, account: Account, field: str) -> pl.DataFrame:
    """Null the values of a column that lie outside a range (or are not finite), and count each."""
    if allowed is None or name not in frame.columns:
        return frame
    column = pl.col(name)
    good = pl.lit(True) if allowed.low is None else column >= allowed.low
    good = good if allowed.high is None else good & (column <= allowed.high)
    if frame.schema[name].is_float():
        good &= column.is_finite()
    bad = frame.select(column).filter(~good & column.is_not_null())
    if bad.is_empty():
        return frame
    for value, count in bad[name].value_counts(sort=True).head(20).iter_rows():
        account.refuse_values(field, f"{value:g} is outside {allowed}", count)
    rest = bad.height - sum(row[1] for row in bad[name].value_counts(sort=True).head(20).iter_rows())
    account.refuse_values(field, f"other values outside {allowed}", rest)
    return frame.with_columns(pl.when(good).then(column).alias(name))
