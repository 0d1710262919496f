"""What a record must satisfy beyond the ranges of its fields, one row a rule. A broken rule refuses the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

from measurement.errors import RecordError
from measurement.record import COLLECTOR_FIELDS, LatencyResult, RadioSample, Record
from measurement.screen import Columns, Screen, always, crossed, either, holds
from measurement.vocabulary import Leg, Status

Finding = tuple[str, str]
"""Path and reason."""


class Rule(NamedTuple):
    """A stable id, the source of the rule, a function that yields what breaks it, and when it need not be asked."""

    id: str
    source: str
    check: Callable[[Record], Iterator[Finding]]
    screen: Screen = always


class LegRange(NamedTuple):
    """Closed range of a radio field on one leg."""

    field: str
    leg: Leg
    low: float
    high: float
    source: str


LEG_RANGES = (
    LegRange("rsrp_dbm", Leg.ANCHOR, -144, -30, "3GPP TS 36.133 9.1.4"),
    LegRange("rsrq_db", Leg.ANCHOR, -34, 3, "3GPP TS 36.133 9.1.7"),
    LegRange("pci", Leg.ANCHOR, 0, 503, "3GPP TS 36.211 6.11"),
    LegRange("tac", Leg.ANCHOR, 0, 65_535, "3GPP TS 23.003 19.4.2.3"),
    LegRange("cell_id", Leg.ANCHOR, 1, 268_435_455, "3GPP TS 23.003 19.6"),
    LegRange("arfcn", Leg.ANCHOR, 0, 262_143, "3GPP TS 36.101 5.7.3"),
    LegRange("rsrp_dbm", Leg.NR, -156, -31, "3GPP TS 38.133 10.1.6"),
    LegRange("rsrq_db", Leg.NR, -43, 20, "3GPP TS 38.133 10.1.11"),
)
_RANGES = {leg: tuple((r.field, r.low, r.high) for r in LEG_RANGES if r.leg is leg) for leg in Leg}


def leg_findings(sample: RadioSample, path: str) -> Iterator[Finding]:
    """Yield the fields of a radio sample that lie outside the range of its leg."""
    for field, low, high in _RANGES[sample.leg]:
        value = getattr(sample, field)
        if value is not None and not low <= value <= high:
            yield f"{path}.{field}", f"Invalid {field} {value}. {low} to {high} on the {sample.leg} leg."


def _radio_in_leg_range(record: Record) -> Iterator[Finding]:
    for index, sample in enumerate(record.radio or ()):
        yield from leg_findings(sample, f"$.radio[{index}]")


def _leaves_leg_range(columns: Columns) -> bool:
    legs = columns.get("radio.leg", ())
    for leg, ranges in _RANGES.items():
        for field, low, high in ranges if leg in legs else ():
            values = columns.get(f"radio.{field}", ())
            found = [value for value, of in zip(values, legs, strict=False) if of is leg and value is not None]
            if found and not low <= min(found) <= max(found) <= high:
                return True
    return False


def _failure_is_told(record: Record) -> Iterator[Finding]:
    outcome = record.outcome
    if outcome.status is Status.FAILED and outcome.failure is None:
        yield "$.outcome.failure", "Invalid failure null. A failed test names its failure."
    if outcome.status is Status.COMPLETE and outcome.failure is not None:
        yield "$.outcome.failure", f"Invalid failure {outcome.failure}. A complete test has none."


def _latencies(record: Record) -> Iterator[tuple[str, LatencyResult]]:
    if record.latency is not None:
        for phase in ("idle", "downlink", "uplink"):
            result = getattr(record.latency, phase)
            if result is not None:
                yield f"$.latency.{phase}", result


def _received_within_sent(record: Record) -> Iterator[Finding]:
    for path, result in _latencies(record):
        if result.received_count > result.sent_count:
            yield (
                f"{path}.received_count",
                f"Invalid received_count {result.received_count}. At most sent_count, {result.sent_count}.",
            )


def _interval_in_order(record: Record) -> Iterator[Finding]:
    if record.throughput is None:
        return
    for direction in ("downlink", "uplink"):
        result = getattr(record.throughput, direction)
        if result is not None and None not in (result.low_bps, result.high_bps) and result.low_bps > result.high_bps:
            yield (
                f"$.throughput.{direction}.low_bps",
                f"Invalid low_bps {result.low_bps}. At most high_bps, {result.high_bps}.",
            )


_PHASES = ("idle", "downlink", "uplink")
RULES = (
    Rule("radio-leg-range", "3GPP TS 36.133, 38.133", _radio_in_leg_range, _leaves_leg_range),
    Rule("failure-told", "docs/record.md", _failure_is_told,
         either(holds("outcome_status", Status.FAILED), lambda columns: "outcome_failure" in columns)),
    Rule("received-within-sent", "docs/record.md", _received_within_sent,
         crossed(*((f"latency_{p}_received_count", f"latency_{p}_sent_count") for p in _PHASES))),
    Rule("interval-in-order", "docs/record.md", _interval_in_order,
         crossed(*((f"throughput_{d}_low_bps", f"throughput_{d}_high_bps") for d in _PHASES[1:]))),
)  # fmt: skip


def suspects(columns: Columns) -> tuple[Rule, ...]:
    """Return the rules that a batch of records may break."""
    return tuple(rule for rule in RULES if rule.screen(columns))


def check(record: Record, rules: tuple[Rule, ...] = RULES) -> None:
    """Check a record against every rule, or those that its batch may break.

    Raises
    ------
    RecordError
        With path and reason of the first rule that is broken.
    """
    for rule in rules:
        for path, reason in rule.check(record):
            raise RecordError(path, reason)


_added = attrgetter(*COLLECTOR_FIELDS)
_NONE_ADDED = (None,) * len(COLLECTOR_FIELDS)


def check_from_probe(record: Record, rules: tuple[Rule, ...] = RULES) -> None:
    """Refuse fields that only the collector may set, then check every rule, or those that its batch may break."""
    if _added(record) != _NONE_ADDED:
        field = next(name for name in COLLECTOR_FIELDS if getattr(record, name) is not None)
        raise RecordError(f"$.{field}", f"Invalid {field}. Only the collector sets it.")
    check(record, rules)
