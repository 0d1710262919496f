"""The flat columns of the archive, derived from the record: path joined by underscores.

`throughput.downlink.goodput_bps` is the column `throughput_downlink_goodput_bps`. Lists and the radio samples keep
their nesting; beside them stand the summaries of the two radio legs (`radio_anchor_rsrp_dbm`, `radio_nr_rsrp_dbm`, …),
and one column `areas_<layer>` for each configured layer (dashes become underscores).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from measurement.radio import LegSummary
from measurement.record import Hop, RadioSample, Record
from measurement.vocabulary import Leg


class Kind(StrEnum):
    """Physical kind of a column."""

    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"
    INSTANT = "instant"  # microseconds since 1970, UTC
    CELL = "cell"  # H3 index as a 64-bit integer; 15 hexadecimal digits in JSON
    INTEGERS = "integers"
    TEXTS = "texts"
    RADIO = "radio"  # list of structs with the fields of RadioSample
    HOPS = "hops"  # list of structs with the fields of Hop


class Column(NamedTuple):
    """One column: its name, its path in the record (empty where it is a summary), its kind."""

    name: str
    path: tuple[str, ...]
    kind: Kind


_SCALARS: dict[Any, Kind] = {
    str: Kind.TEXT,
    int: Kind.INTEGER,
    float: Kind.REAL,
    bool: Kind.BOOLEAN,
    datetime: Kind.INSTANT,
}


def _bare(hint: Any) -> Any:
    """Strip Annotated and None from a type."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif get_origin(hint) in (Union, types.UnionType):
            hint = next(arg for arg in get_args(hint) if arg is not type(None))
        else:
            return hint


def _kind(hint: Any) -> Kind:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Kind.TEXT
    item = _bare(get_args(hint)[0])
    return {RadioSample: Kind.RADIO, Hop: Kind.HOPS, int: Kind.INTEGERS, str: Kind.TEXTS}[item]


def struct_fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the bare type of each field of a group, in order."""
    hints = typing.get_type_hints(struct, include_extras=True)
    return {name: _bare(hints[name]) for name in struct.__struct_fields__}


def _walk(struct: type[msgspec.Struct], path: tuple[str, ...]) -> Iterator[Column]:
    for name, hint in struct_fields(struct).items():
        here = (*path, name)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from _walk(hint, here)
        elif here == ("h3_cell",):
            yield Column("h3_cell", here, Kind.CELL)
        elif here != ("areas",):
            yield Column("_".join(here), here, _kind(hint))


def _leg_columns() -> Iterator[Column]:
    for leg in Leg:
        for name in LegSummary._fields:
            yield Column(f"radio_{leg}_{name}", (), Kind.REAL if name.endswith(("_dbm", "_db")) else Kind.INTEGER)


COLUMNS: tuple[Column, ...] = (*_walk(Record, ()), *_leg_columns())
BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}


def area_column(layer: str) -> str:
    """Return the column that holds a record's area in a layer.

    Examples
    --------
    >>> area_column('communes-2025')
    'areas_communes_2025'
    """
    return "areas_" + layer.replace("-", "_")
