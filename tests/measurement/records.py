"""Hypothesis strategies for records: every field, within its range, obeying the rules across fields."""

from __future__ import annotations

import typing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from measurement.record import COLLECTOR_FIELDS, LatencyResult, Outcome, RadioSample, Record, ThroughputResult
from measurement.rules import leg_findings
from measurement.vocabulary import Status
from tests.measurement.described import unwrap

KEYS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


def _number(metas: list[Any], kind: type) -> st.SearchStrategy[Any]:
    low = next((m.ge if m.ge is not None else m.gt for m in metas if m.ge is not None or m.gt is not None), None)
    high = next((m.le for m in metas if m.le is not None), None)
    if kind is int:
        return st.integers(low, high)
    is_open = any(m.gt is not None for m in metas)
    return st.floats(low, high, exclude_min=is_open, allow_nan=False, allow_infinity=False)


def _text(metas: list[Any]) -> st.SearchStrategy[Any]:
    pattern = next((m.pattern for m in metas if m.pattern), None)
    if pattern is not None:
        return st.from_regex(pattern.strip("^$"), fullmatch=True, alphabet=st.characters(max_codepoint=127))
    longest = next((m.max_length for m in metas if m.max_length), 30)
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=min(longest, 20))


def of_hint(hint: Any) -> st.SearchStrategy[Any]:
    bare, metas = unwrap(hint)
    if bare in (int, float):
        return _number(metas, bare)
    if bare is str:
        return _text(metas)
    if bare is bool:
        return st.booleans()
    if bare is datetime:
        return INSTANTS
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return st.sampled_from(list(bare))
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return of_struct(bare)
    if get_origin(bare) is dict:
        return st.dictionaries(KEYS, KEYS, max_size=3)
    return st.lists(of_hint(get_args(bare)[0]), max_size=3)


def of_struct(struct: type[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(struct, include_extras=True)
    required = {field.name for field in msgspec.structs.fields(struct) if field.required}
    needed = {name: of_hint(hints[name]) for name in struct.__struct_fields__ if name in required}
    free = {name: of_hint(hints[name]) for name in struct.__struct_fields__ if name not in required}
    built = st.fixed_dictionaries(needed, optional=free).map(lambda fields: struct(**fields))
    return built.map(REPAIRS[struct]) if struct in REPAIRS else built


def _latency(result: LatencyResult) -> LatencyResult:
    return msgspec.structs.replace(result, received_count=min(result.received_count, result.sent_count))


def _throughput(result: ThroughputResult) -> ThroughputResult:
    if result.low_bps is None or result.high_bps is None:
        return result
    low, high = sorted((result.low_bps, result.high_bps))
    return msgspec.structs.replace(result, low_bps=low, high_bps=high)


def _radio(sample: RadioSample) -> RadioSample:
    outside = {path.rsplit(".", 1)[-1]: None for path, _ in leg_findings(sample, "$")}
    return msgspec.structs.replace(sample, **outside)


def _outcome(outcome: Outcome) -> Outcome:
    if outcome.status is Status.COMPLETE:
        return msgspec.structs.replace(outcome, failure=None)
    if outcome.failure is None:
        return msgspec.structs.replace(outcome, status=Status.PARTIAL)
    return outcome


REPAIRS: dict[type, Any] = {
    LatencyResult: _latency,
    ThroughputResult: _throughput,
    RadioSample: _radio,
    Outcome: _outcome,
}

RECORDS = of_struct(Record)
FROM_PROBES = RECORDS.map(lambda record: msgspec.structs.replace(record, **dict.fromkeys(COLLECTOR_FIELDS)))
