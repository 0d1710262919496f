"""What is possible but doubtful, one row a rule. A doubtful record is kept, flagged, and left out of ratings.

`evidence`: V seen in a primary text, S second-hand, R recalled, D our own decision. A rule sees one record,
when it was received, and the test of the same probe before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from measurement.record import LatencyResult, Record, ThroughputResult
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


class Plausibility(NamedTuple):
    """A stable id, what it means, how sure we are of it, whence it comes, and the test: true where it is doubtful."""

    id: str
    comment: str
    evidence: str
    source: str
    is_doubtful: Callable[[Record, Context], bool]


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


def _throughputs(record: Record) -> tuple[ThroughputResult | None, ThroughputResult | None]:
    return (None, None) if record.throughput is None else (record.throughput.downlink, record.throughput.uplink)


def _latencies(record: Record) -> list[LatencyResult]:
    phases = record.latency
    return [] if phases is None else [r for r in (phases.idle, phases.downlink, phases.uplink) if r is not None]


def metres_between(longitude_a: float, latitude_a: float, longitude_b: float, latitude_b: float) -> float:
    """Return the distance in metres on a plane that touches the earth between both points; good below 100 km.

    Examples
    --------
    >>> round(metres_between(106.0, 20.0, 106.0, 20.001))
    111
    """
    scale = math.cos(math.radians((latitude_a + latitude_b) / 2))
    return 111_195 * math.hypot((longitude_b - longitude_a) * scale, latitude_b - latitude_a)


def _future(record: Record, context: Context) -> bool:
    return record.started_at > context.received_at + FUTURE


def _old(record: Record, context: Context) -> bool:
    return record.mode is not Mode.IMPORT and record.started_at < context.received_at - OLD


def _spacing(record: Record, context: Context) -> bool:
    if context.previous is None or record.mode is Mode.DRIVE:
        return False
    return abs(record.started_at - context.previous.started_at) < SPACING


def _jump(record: Record, context: Context) -> bool:
    before, here = context.previous, record.position
    if before is None or here is None or before.longitude_deg is None or before.latitude_deg is None:
        return False
    elapsed = abs((record.started_at - before.started_at).total_seconds())
    metres = metres_between(before.longitude_deg, before.latitude_deg, here.longitude_deg, here.latitude_deg)
    # What both positions may be off is no journey.
    return metres - 2 * (here.accuracy_m or 0) > 200 and metres > JUMP_MPS * max(elapsed, 1)


def _peak_downlink(record: Record, _: Context) -> bool:
    result, peak = _throughputs(record)[0], PEAKS.get(_technology(record) or Technology.WIFI)
    return peak is not None and result is not None and (result.goodput_bps or 0) > peak.downlink_bps


def _peak_uplink(record: Record, _: Context) -> bool:
    result, peak = _throughputs(record)[1], PEAKS.get(_technology(record) or Technology.WIFI)
    return peak is not None and result is not None and (result.goodput_bps or 0) > peak.uplink_bps


def _goodput_zero(record: Record, _: Context) -> bool:
    return record.outcome.failure is None and any(r is not None and r.goodput_bps == 0 for r in _throughputs(record))


def _rtt_low(record: Record, _: Context) -> bool:
    if _technology(record) not in CELLULAR:
        return False
    return any(r.rtt_median_ms is not None and r.rtt_median_ms < 5 for r in _latencies(record))


def _rtt_high(record: Record, _: Context) -> bool:
    return any(r.rtt_median_ms is not None and r.rtt_median_ms > 10_000 for r in _latencies(record))


def _loss_few(record: Record, _: Context) -> bool:
    return any((r.loss_ratio or 0) > 0 and r.sent_count < 10 for r in _latencies(record))


def _radio(field: str, leg: Leg | None, is_doubtful: Callable[[float], bool]) -> Callable[[Record, Context], bool]:
    def test(record: Record, _: Context) -> bool:
        for sample in record.radio or ():
            value = getattr(sample, field)
            if value is not None and (leg is None or sample.leg is leg) and is_doubtful(value):
                return True
        return False

    return test


def _rssi_below_rsrp(record: Record, _: Context) -> bool:
    return any(
        s.rssi_dbm is not None and s.rsrp_dbm is not None and s.rssi_dbm < s.rsrp_dbm for s in record.radio or ()
    )


_OURS = "docs/record.md, plausibility"
_SENTINELS = {2**28 - 1, 2**31 - 1, 2**36 - 1}


RULES: tuple[Plausibility, ...] = (
    Plausibility("started-in-future", "started over 5 min after it was received", "D", _OURS, _future),
    Plausibility("started-long-ago", "started over 30 d before it was received", "D", _OURS, _old),
    Plausibility("tests-too-close", "under 30 s after the test before", "S", "QCVN 81:2019, 126:2021", _spacing),
    Plausibility("position-mock", "the platform says that the position is made up", "V", "Android isMock",
                 lambda r, _: r.position is not None and r.position.is_mock is True),
    Plausibility("position-inaccurate", "accuracy worse than 1,000 m", "V", "Mozilla Location Service, cells",
                 lambda r, _: r.position is not None and (r.position.accuracy_m or 0) > WORST_ACCURACY_M),
    Plausibility("position-old", "position older than 20 s while moving", "V", "Mozilla Location Service",
                 lambda r, _: r.position is not None and (r.position.age_s or 0) > OLDEST_POSITION_S
                 and (r.position.speed_mps or 0) > 1),
    Plausibility("position-fast", "faster than 50 m/s", "V", "Mozilla Location Service",
                 lambda r, _: r.position is not None and (r.position.speed_mps or 0) > FASTEST_MPS),
    Plausibility("position-jump", "over 100 m/s from the probe's test before", "D", _OURS, _jump),
    Plausibility("position-null-island", "0° N 0° E is what a receiver without a fix says", "D", _OURS,
                 lambda r, _: r.position is not None and r.position.longitude_deg == r.position.latitude_deg == 0),
    Plausibility("downlink-above-peak", "downlink above the technology's peak", "D", _OURS, _peak_downlink),
    Plausibility("uplink-above-peak", "uplink above the technology's peak", "D", _OURS, _peak_uplink),
    Plausibility("goodput-zero", "0 bit/s in a test that names no failure", "D", _OURS, _goodput_zero),
    Plausibility("rtt-below-cellular", "median round trip under 5 ms on a cellular line", "D", _OURS, _rtt_low),
    Plausibility("rtt-above-10s", "median round trip above 10 s", "D", _OURS, _rtt_high),
    Plausibility("loss-of-few", "loss told from fewer than 10 packets", "D", _OURS, _loss_few),
    Plausibility("rsrp-strong", "RSRP above −50 dBm", "D", _OURS, _radio("rsrp_dbm", None, lambda v: v > -50)),
    Plausibility("rsrq-anchor-odd", "LTE RSRQ outside −20…−3 dB, the basic range", "V", "3GPP TS 36.133 9.1.7",
                 _radio("rsrq_db", Leg.ANCHOR, lambda v: v < -20 or v > -3)),
    Plausibility("rsrq-nr-odd", "SS-RSRQ above −3 dB", "D", _OURS, _radio("rsrq_db", Leg.NR, lambda v: v > -3)),
    Plausibility("sinr-anchor-odd", "LTE SINR above 30 dB", "D", _OURS,
                 _radio("sinr_db", Leg.ANCHOR, lambda v: v > 30)),
    Plausibility("rssi-below-rsrp", "the whole is weaker than its part", "V", "3GPP TS 36.214 5.1", _rssi_below_rsrp),
    Plausibility("cell-sentinel", "a cell id that drivers use for unknown", "D", _OURS,
                 _radio("cell_id", None, lambda v: v in _SENTINELS)),
    Plausibility("clock-unsynchronised", "the probe's clock was over 5 min off", "D", _OURS,
                 lambda r, _: r.clock_synchronised is False and abs(r.clock_offset_ms or 0) > 300_000),
)  # fmt: skip
BY_ID: dict[str, Plausibility] = {rule.id: rule for rule in RULES}

PLACING_FLAGS = {
    "base-station-doubtful": "the station was found by distance and a second one stands nearly as near",
    "base-station-far": "the station of this identity is over 35 km away",
}
"""Flags the collector sets while placing; these need the layers and the registry."""


def flags(record: Record, context: Context) -> list[str]:
    """Return the ids of the rules by which a record is doubtful, in the table's order."""
    return [rule.id for rule in RULES if rule.is_doubtful(record, context)]
