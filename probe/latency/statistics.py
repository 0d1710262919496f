"""From round trips to figures. Pure functions; a lost probe is NaN and keeps its place in the order of sending."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from measurement.record import LatencyResult
from measurement.vocabulary import LatencyMethod

SHORTEST_RTT_MS = 0.001
LONGEST_RTT_MS = 60_000.0


class Loss(NamedTuple):
    """Share of probes lost, in all and by direction; `None` where it cannot be told."""

    total: float | None
    uplink: float | None
    downlink: float | None


@dataclass(slots=True)
class Echoes:
    """What came back, in the order of sending.

    `rtt_ms[i]` is the round trip of probe i, NaN where it was lost. `reflected[i]` is the reflector's own count in
    that reply, -1 where there is none. `at_s[i]` is when it was sent, counted from the first.
    """

    method: LatencyMethod
    rtt_ms: list[float] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    reflected: list[int] = field(default_factory=list)
    duplicate_count: int = 0
    duplicate_uplink_count: int = 0
    reordered_count: int = 0
    refused_count: int = 0
    is_stateful: bool = False
    has_kernel_time: bool = False


def percentile(values: Sequence[float], share: float) -> float:
    """Interpolate the percentile `share` (0–1) of sorted or unsorted values.

    Examples
    --------
    >>> percentile([1.0, 2.0, 3.0, 4.0, 5.0], 0.5)
    3.0
    >>> percentile([0.0, 10.0], 0.95)
    9.5
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def ipdv_mean_ms(rtt_ms: Sequence[float]) -> float | None:
    """Return the mean absolute difference of successive round trips (RFC 3393), over pairs that both came back.

    Examples
    --------
    >>> ipdv_mean_ms([10.0, 12.0, math.nan, 20.0, 21.0])
    1.5
    """
    steps = [
        abs(later - earlier)
        for earlier, later in itertools.pairwise(rtt_ms)
        if not (math.isnan(earlier) or math.isnan(later))
    ]
    return sum(steps) / len(steps) if steps else None


def pdv_p95_ms(rtt_ms: Sequence[float]) -> float | None:
    """Return the 95th percentile of the delay above the smallest (RFC 5481, 4.2 PDV).

    Examples
    --------
    >>> pdv_p95_ms([10.0, 10.0, 10.0, 12.0, math.nan])
    1.7
    """
    came = [value for value in rtt_ms if not math.isnan(value)]
    return round(percentile(came, 0.95) - min(came), 9) if came else None


def loss_by_direction(echoes: Echoes) -> Loss:
    """Split loss by the reflector's own count: what it never saw was lost on the way up, the rest on the way down.

    Probes after the last reply are lost in an unknown direction, so each direction counts up to that reply only.

    Examples
    --------
    >>> lost = math.nan
    >>> echoes = Echoes(LatencyMethod.STAMP, [1.0, lost, lost, 1.0], reflected=[0, -1, -1, 2], is_stateful=True)
    >>> loss_by_direction(echoes)
    Loss(total=0.5, uplink=0.25, downlink=0.3333333333333333)
    """
    if not echoes.rtt_ms:
        return Loss(None, None, None)
    total = sum(math.isnan(value) for value in echoes.rtt_ms) / len(echoes.rtt_ms)
    last = max((index for index, count in enumerate(echoes.reflected) if count >= 0), default=-1)
    if not echoes.is_stateful or last < 0:
        return Loss(total, None, None)
    arrived = max(echoes.reflected) + 1 - echoes.duplicate_uplink_count
    # Reordering may let the reflector count a probe that was sent after the last one answered.
    came = sum(count >= 0 for count in echoes.reflected)
    sent = last + 1
    if not came <= arrived <= sent + echoes.reordered_count:
        return Loss(total, None, None)
    arrived = min(arrived, sent)
    return Loss(total, (sent - arrived) / sent, (arrived - came) / arrived)


def wilson_interval(lost: int, sent: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927).

    Examples
    --------
    >>> [round(edge, 3) for edge in wilson_interval(0, 100)]
    [0.0, 0.037]
    """
    if not 0 <= lost <= sent or sent == 0:
        raise ValueError(f"Invalid counts {lost} of {sent}. 0 <= lost <= sent, sent > 0.")
    share, spread = lost / sent, z * z / sent
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / sent + spread / (4 * sent))
    return max(0.0, centre - half), min(1.0, centre + half)


def summarise(echoes: Echoes) -> LatencyResult:
    """Reduce the echoes of one phase to the record's figures."""
    came = [min(max(value, SHORTEST_RTT_MS), LONGEST_RTT_MS) for value in echoes.rtt_ms if not math.isnan(value)]
    loss = loss_by_direction(echoes)
    return LatencyResult(
        method=echoes.method,
        sent_count=len(echoes.rtt_ms),
        received_count=len(came),
        duplicate_count=echoes.duplicate_count,
        reordered_count=echoes.reordered_count,
        rtt_min_ms=min(came) if came else None,
        rtt_median_ms=percentile(came, 0.5) if came else None,
        rtt_mean_ms=sum(came) / len(came) if came else None,
        rtt_p95_ms=percentile(came, 0.95) if came else None,
        ipdv_mean_ms=ipdv_mean_ms(echoes.rtt_ms),
        pdv_p95_ms=pdv_p95_ms(echoes.rtt_ms),
        loss_ratio=loss.total,
        loss_uplink_ratio=loss.uplink,
        loss_downlink_ratio=loss.downlink,
    )
