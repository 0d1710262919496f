"""What is possible but doubtful, one row a rule. A doubtful record is kept, flagged, and left out of ratings.

`evidence`: V seen in a primary text, S second-hand, R recalled, D our own decision. A rule sees one record,
when it was received, and the test of the same probe before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from measurement.record import LatencyResult, Position, Record, ThroughputResult
from measurement.screen import Columns, Screen, above, always, below, crossed, either, holds, known
from measurement.vocabulary import Leg, Mode, Technology


class Previous(NamedTuple):
    """The test of the same probe that started last before this one."""

    started_at: datetime
    longitude_deg: float | None
    latitude_deg: float | None


class Context(NamedTuple):
    """What a rule may know beside the record."""

    received_at: datetime
    previous: Previous | None = None


class Part(StrEnum):
    """What a rule looks at; it is asked once for each that a record has."""

    RECORD = "record"
    POSITION = "position"
    LATENCY = "latency"
    DOWNLINK = "downlink"
    UPLINK = "uplink"
    RADIO = "radio"


class Plausibility(NamedTuple):
    """A stable id, the part, what it means, how sure we are of it, whence it comes, the test on it, and its screen."""

    id: str
    part: Part
    comment: str
    evidence: str
    source: str
    is_doubtful: Callable[[Any, Record, Context], bool]
    screen: Screen = always


FUTURE = timedelta(minutes=5)
OLD = timedelta(days=30)
SPACING = timedelta(seconds=30)
WORST_ACCURACY_M = 1_000.0
OLDEST_POSITION_S = 20.0
FASTEST_MPS = 50.0
JUMP_MPS = 100.0
CELLULAR = (Technology.NR_SA, Technology.NR_NSA, Technology.LTE, Technology.UMTS, Technology.GSM)


class Peak(NamedTuple):
    """The most a technology gives one device, in bit/s."""

    downlink_bps: float
    uplink_bps: float


PEAKS: dict[Technology, Peak] = {
    Technology.NR_SA: Peak(4e9, 5e8),
    Technology.NR_NSA: Peak(4e9, 5e8),
    Technology.LTE: Peak(1e9, 1.5e8),
    Technology.UMTS: Peak(4.22e7, 1.15e7),  # dual-carrier HSDPA and HSUPA category 7
    Technology.GSM: Peak(2.96e5, 2.37e5),  # EDGE, 5 and 4 slots
}


def _technology(record: Record) -> Technology | None:
    return None if record.network is None else record.network.technology


def metres_between(longitude_a: float, latitude_a: float, longitude_b: float, latitude_b: float) -> float:
    """Return the distance in metres on a plane that touches the earth between both points; good below 100 km.

    Examples
    --------
    >>> round(metres_between(106.0, 20.0, 106.0, 20.001))
    111
    """
    scale = math.cos(math.radians((latitude_a + latitude_b) / 2))
    return 111_195 * math.hypot((longitude_b - longitude_a) * scale, latitude_b - latitude_a)


def _spacing(record: Record, _: Record, context: Context) -> bool:
    if context.previous is None or record.mode is Mode.DRIVE:
        return False
    return abs(record.started_at - context.previous.started_at) < SPACING


def _jump(here: Position, record: Record, context: Context) -> bool:
    before = context.previous
    if before is None or before.longitude_deg is None or before.latitude_deg is None:
        return False
    elapsed = abs((record.started_at - before.started_at).total_seconds())
    metres = metres_between(before.longitude_deg, before.latitude_deg, here.longitude_deg, here.latitude_deg)
    # What both positions may be off is no journey.
    return metres - 2 * (here.accuracy_m or 0) > 200 and metres > JUMP_MPS * max(elapsed, 1)


def _above_peak(direction: str) -> Callable[[ThroughputResult, Record, Context], bool]:
    peaks = {technology: getattr(peak, f"{direction}_bps") for technology, peak in PEAKS.items()}

    def test(result: ThroughputResult, record: Record, _: Context) -> bool:
        technology = _technology(record)
        return technology in peaks and (result.goodput_bps or 0) > peaks[technology]

    return test


def _zero(result: ThroughputResult, record: Record, _: Context) -> bool:
    return result.goodput_bps == 0 and record.outcome.failure is None


def _rtt_low(result: LatencyResult, record: Record, _: Context) -> bool:
    return result.rtt_median_ms is not None and result.rtt_median_ms < 5 and _technology(record) in CELLULAR


def _of_phases(field: str) -> list[str]:
    return [f"latency_{phase}_{field}" for phase in ("idle", "downlink", "uplink")]


def _may_exceed_peak(direction: str) -> Screen:
    def screen(columns: Columns) -> bool:
        present = set(known(columns, "network_technology"))
        peaks = [getattr(peak, f"{direction}_bps") for technology, peak in PEAKS.items() if technology in present]
        return bool(peaks) and above(min(peaks), f"throughput_{direction}_goodput_bps")(columns)

    return screen


_OURS = "docs/record.md, plausibility"
_SENTINELS = frozenset({2**28 - 1, 2**31 - 1, 2**36 - 1})
_MLS = "Mozilla Location Service"
_R, _P, _L, _D, _U, _S = Part

RULES: tuple[Plausibility, ...] = (
    Plausibility("started-in-future", _R, "started over 5 min after it was received", "D", _OURS,
                 lambda r, _, c: r.started_at > c.received_at + FUTURE),
    Plausibility("started-long-ago", _R, "started over 30 d before it was received", "D", _OURS,
                 lambda r, _, c: r.mode is not Mode.IMPORT and r.started_at < c.received_at - OLD),
    Plausibility("tests-too-close", _R, "under 30 s after the test before", "S", "QCVN 81:2019, 126:2021", _spacing),
    Plausibility("clock-unsynchronised", _R, "the probe's clock was over 5 min off", "D", _OURS,
                 lambda r, _, __: r.clock_synchronised is False and abs(r.clock_offset_ms or 0) > 300_000,
                 holds("clock_synchronised", False)),
    Plausibility("position-mock", _P, "the platform says that the position is made up", "V", "Android isMock",
                 lambda p, _, __: p.is_mock is True,
                 holds("position_is_mock", True)),
    Plausibility("position-inaccurate", _P, "accuracy worse than 1,000 m", "V", f"{_MLS}, cells",
                 lambda p, _, __: p.accuracy_m is not None and p.accuracy_m > WORST_ACCURACY_M,
                 above(WORST_ACCURACY_M, "position_accuracy_m")),
    Plausibility("position-old", _P, "position older than 20 s while moving", "V", _MLS,
                 lambda p, _, __: (p.age_s or 0) > OLDEST_POSITION_S and (p.speed_mps or 0) > 1,
                 above(OLDEST_POSITION_S, "position_age_s")),
    Plausibility("position-fast", _P, "faster than 50 m/s", "V", _MLS,
                 lambda p, _, __: p.speed_mps is not None and p.speed_mps > FASTEST_MPS,
                 above(FASTEST_MPS, "position_speed_mps")),
    Plausibility("position-jump", _P, "over 100 m/s from the probe's test before", "D", _OURS, _jump),
    Plausibility("position-null-island", _P, "0° N 0° E is what a receiver without a fix says", "D", _OURS,
                 lambda p, _, __: p.longitude_deg == p.latitude_deg == 0,
                 holds("position_longitude_deg", 0)),
    Plausibility("downlink-above-peak", _D, "above the technology's peak", "D", _OURS, _above_peak("downlink"),
                 _may_exceed_peak("downlink")),
    Plausibility("uplink-above-peak", _U, "above the technology's peak", "D", _OURS, _above_peak("uplink"),
                 _may_exceed_peak("uplink")),
    Plausibility("downlink-zero", _D, "0 bit/s in a test that names no failure", "D", _OURS, _zero,
                 holds("throughput_downlink_goodput_bps", 0)),
    Plausibility("uplink-zero", _U, "0 bit/s in a test that names no failure", "D", _OURS, _zero,
                 holds("throughput_uplink_goodput_bps", 0)),
    Plausibility("rtt-below-cellular", _L, "median round trip under 5 ms on a cellular line", "D", _OURS, _rtt_low,
                 below(5, *_of_phases("rtt_median_ms"))),
    Plausibility("rtt-above-10s", _L, "median round trip above 10 s", "D", _OURS,
                 lambda t, _, __: t.rtt_median_ms is not None and t.rtt_median_ms > 10_000,
                 above(10_000, *_of_phases("rtt_median_ms"))),
    Plausibility("loss-of-few", _L, "loss told from fewer than 10 packets", "D", _OURS,
                 lambda t, _, __: t.sent_count < 10 and (t.loss_ratio or 0) > 0,
                 below(10, *_of_phases("sent_count"))),
    Plausibility("rsrp-strong", _S, "RSRP above −50 dBm", "D", _OURS,
                 lambda s, _, __: s.rsrp_dbm is not None and s.rsrp_dbm > -50,
                 above(-50, "radio.rsrp_dbm")),
    Plausibility("rsrq-anchor-odd", _S, "LTE RSRQ outside −20…−3 dB, the basic range", "V", "3GPP TS 36.133 9.1.7",
                 lambda s, _, __: s.rsrq_db is not None and s.leg is Leg.ANCHOR and not -20 <= s.rsrq_db <= -3,
                 either(below(-20, "radio.rsrq_db"), above(-3, "radio.rsrq_db"))),
    Plausibility("rsrq-nr-odd", _S, "SS-RSRQ above −3 dB", "D", _OURS,
                 lambda s, _, __: s.rsrq_db is not None and s.rsrq_db > -3 and s.leg is Leg.NR,
                 above(-3, "radio.rsrq_db")),
    Plausibility("sinr-anchor-odd", _S, "LTE SINR above 30 dB", "D", _OURS,
                 lambda s, _, __: s.sinr_db is not None and s.sinr_db > 30 and s.leg is Leg.ANCHOR,
                 above(30, "radio.sinr_db")),
    Plausibility("rssi-below-rsrp", _S, "the whole is weaker than its part", "V", "3GPP TS 36.214 5.1",
                 lambda s, _, __: s.rssi_dbm is not None and s.rsrp_dbm is not None and s.rssi_dbm < s.rsrp_dbm,
                 crossed(("radio.rsrp_dbm", "radio.rssi_dbm"))),
    Plausibility("cell-sentinel", _S, "a cell id that drivers use for unknown", "D", _OURS,
                 lambda s, _, __: s.cell_id in _SENTINELS,
                 holds("radio.cell_id", *_SENTINELS)),
)  # fmt: skip
BY_ID: dict[str, Plausibility] = {rule.id: rule for rule in RULES}
_ORDER = {rule.id: position for position, rule in enumerate(RULES)}

PLACING_FLAGS = {
    "base-station-doubtful": "the station was found by distance and a second one stands nearly as near",
    "base-station-far": "the station of this identity is over 35 km away",
}
"""Flags the collector sets while placing; these need the layers and the registry."""


def _phases(record: Record) -> Iterable[LatencyResult]:
    latency = record.latency
    return () if latency is None else filter(None, (latency.idle, latency.downlink, latency.uplink))


def _direction(record: Record, direction: str) -> Iterable[ThroughputResult]:
    result = None if record.throughput is None else getattr(record.throughput, direction)
    return () if result is None else (result,)


_CONTENTS: dict[Part, Callable[[Record], Iterable[Any]]] = {
    Part.RECORD: lambda record: (record,),
    Part.POSITION: lambda record: () if record.position is None else (record.position,),
    Part.LATENCY: _phases,
    Part.DOWNLINK: lambda record: _direction(record, "downlink"),
    Part.UPLINK: lambda record: _direction(record, "uplink"),
    Part.RADIO: lambda record: record.radio or (),
}
"""What the rules of a part are asked of: none, one or several things of a record."""

Tests = tuple[tuple[Part, tuple[tuple[str, Callable[[Any, Record, Context], bool]], ...]], ...]
"""By part, the ids and tests of rules."""


def _by_part(rules: Iterable[Plausibility]) -> Tests:
    held: dict[Part, list[tuple[str, Callable[[Any, Record, Context], bool]]]] = {}
    for rule in rules:
        held.setdefault(rule.part, []).append((rule.id, rule.is_doubtful))
    return tuple((part, tuple(tests)) for part, tests in held.items())


ALL = _by_part(RULES)


def suspects(columns: Columns) -> Tests:
    """Return the rules by which records of a batch may be doubtful."""
    return _by_part(rule for rule in RULES if rule.screen(columns))


def flags(record: Record, context: Context, tests: Tests = ALL) -> list[str]:
    """Return the ids of the rules by which a record is doubtful, in the table's order."""
    found: list[str] = []
    for part, rules in tests:
        for content in _CONTENTS[part](record):
            for name, is_doubtful in rules:
                if is_doubtful(content, record, context):
                    found.append(name)  # most records have none: a comprehension is no faster
    return sorted(set(found), key=_ORDER.__getitem__) if len(found) > 1 else found
