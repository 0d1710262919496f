"""What code says of each field of the record, in the words of docs/record.md."""

from __future__ import annotations

import types
import typing
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import msgspec

from measurement import record
from measurement.radio import LegSummary

GROUPS: dict[str, type] = {
    "Record": record.Record,
    "Position": record.Position,
    "Network": record.Network,
    "Radio sample": record.RadioSample,
    "Latency result": record.LatencyResult,
    "Throughput result": record.ThroughputResult,
    "Responsiveness result": record.ResponsivenessResult,
    "Access": record.Access,
    "Path": record.Path,
    "Hop": record.Hop,
    "Server": record.Server,
    "Device": record.Device,
    "Outcome": record.Outcome,
    "Base station": record.BaseStationMatch,
}
PHASES = {"Latency": record.Latency, "Throughput": record.Throughput, "Responsiveness": record.Responsiveness}
SCALARS = {str: "text", int: "integer", float: "real", bool: "boolean", datetime: "instant"}


class Said(NamedTuple):
    kind: str
    range: str
    is_required: bool


def number(value: float) -> str:
    if isinstance(value, int) and value in (2**31 - 1, 2**32 - 1, 2**50, 2**53 - 1):
        return {2**31 - 1: "2³¹−1", 2**32 - 1: "2³²−1", 2**50: "2⁵⁰", 2**53 - 1: "2⁵³−1"}[value]
    return f"{value:,.15g}".replace("-", "−")


def unwrap(hint: Any) -> tuple[Any, list[Any]]:
    metas: list[Any] = []
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            metas += more
        elif get_origin(hint) in (typing.Union, types.UnionType):
            hint = next(arg for arg in get_args(hint) if arg is not type(None))
        else:
            return hint, metas


def ranged(metas: list[Any]) -> str:
    said = []
    for meta in metas:
        low, high = meta.ge if meta.ge is not None else meta.gt, meta.le
        if low is not None or high is not None:
            above = "above " if meta.gt is not None else ""
            said.append(f"{above}{number(low)} … {number(high)}")
        if meta.pattern is not None:
            said.append(f"`{meta.pattern}`")
        if meta.max_length is not None and meta.min_length is not None:
            said.append(f"{meta.min_length} … {meta.max_length} letters")
        elif meta.max_length is not None:
            said.append(f"at most {number(meta.max_length)}")
        if meta.tz:
            said.append("with time zone")
    return ", ".join(said) or "–"


def kind_of(hint: Any) -> str:
    bare, _ = unwrap(hint)
    if bare in SCALARS:
        return SCALARS[bare]
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return "word"
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        names = {struct: title for title, struct in {**GROUPS, **PHASES}.items()}
        return f"[{names[bare]}](#{names[bare].lower().replace(' ', '-')})"
    if get_origin(bare) is dict:
        return "keys by layer"
    return f"list of {kind_of(get_args(bare)[0])}"


def range_of(hint: Any) -> str:
    bare, metas = unwrap(hint)
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return " ".join(f"`{word.value}`" for word in bare)
    return ranged(metas)


def said(struct: type) -> dict[str, Said]:
    hints = typing.get_type_hints(struct, include_extras=True)
    required = {field.name for field in msgspec.structs.fields(struct) if field.required}
    return {
        name: Said(kind_of(hints[name]), range_of(hints[name]), name in required)
        for name in struct.__struct_fields__  # type: ignore[attr-defined]
    }


LEG_FIELDS = LegSummary._fields
