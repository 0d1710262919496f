"""Responsiveness under load: round trips per minute, with its confidence (after draft-ietf-ippm-responsiveness).

RPM = 60000 / TM, where TM is the mean of the loaded round trips (ms) below their 95th percentile, over the last
intervals of the phase. The draft mixes probes of several protocols on several connections; here every round trip is
one of the method that measured latency (STAMP, else TCP), so compare only like with like. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from measurement.record import ResponsivenessResult
from measurement.vocabulary import Confidence
from probe.latency.statistics import Echoes

INTERVAL_S = 1.0
"""ID of the drafts until -08; -09 has 5 s, longer than a phase that stops by evidence."""
INTERVAL_COUNT = 4
"""MAD: over so many intervals the moving average goes."""
KEPT_SHARE = 0.95
"""TMP: the slowest 5 % are left out, since one retransmission says little about the rest."""
STABLE_SHARE = 0.05
"""SDT: stable where the standard deviation of the intervals lies below this share of their mean."""
LEAST_COUNT = 5
RPM_MOST = 6e7


def trimmed_mean(values: Sequence[float], share: float = KEPT_SHARE) -> float:
    """Return the mean of the smallest `share` of the values, at least one.

    Examples
    --------
    >>> trimmed_mean([10.0] * 19 + [1000.0])
    10.0
    """
    kept = sorted(values)[: max(1, math.floor(len(values) * share + 1e-9))]
    return sum(kept) / len(kept)


def intervals(at_s: Sequence[float], rtt_ms: Sequence[float]) -> list[list[float]]:
    """Group the round trips that came back into whole intervals, counted back from the last.

    Examples
    --------
    >>> intervals([0.0, 0.6, 1.1, 2.0], [1.0, 2.0, math.nan, 4.0])
    [[1.0], [2.0], [4.0]]
    """
    if not at_s:
        return []
    end = at_s[-1]
    groups: dict[int, list[float]] = {}
    for at, rtt in zip(at_s, rtt_ms, strict=True):
        if not math.isnan(rtt):
            groups.setdefault(int((end - at) / INTERVAL_S), []).append(rtt)
    return [groups[key] for key in sorted(groups, reverse=True)]


def judge(groups: Sequence[Sequence[float]]) -> Confidence:
    """Return low below four intervals, high where their trimmed means agree, else medium."""
    if len(groups) < INTERVAL_COUNT:
        return Confidence.LOW
    means = [trimmed_mean(group) for group in groups[-INTERVAL_COUNT:]]
    centre = sum(means) / len(means)
    deviation = math.sqrt(sum((mean - centre) ** 2 for mean in means) / len(means))
    return Confidence.HIGH if deviation <= STABLE_SHARE * centre else Confidence.MEDIUM


def responsiveness(echoes: Echoes) -> ResponsivenessResult | None:
    """Return the responsiveness of a loaded phase; `None` where too few echoes came back.

    Examples
    --------
    >>> from measurement.vocabulary import LatencyMethod
    >>> at = [0.1 * n for n in range(50)]
    >>> responsiveness(Echoes(LatencyMethod.STAMP, [60.0] * 50, at))
    ResponsivenessResult(rpm=1000.0, confidence=<Confidence.HIGH: 'high'>)
    """
    groups = intervals(echoes.at_s, echoes.rtt_ms)
    last = [rtt for group in groups[-INTERVAL_COUNT:] for rtt in group]
    if len(last) < LEAST_COUNT:
        return None
    return ResponsivenessResult(rpm=min(RPM_MOST, 60_000 / max(0.001, trimmed_mean(last))), confidence=judge(groups))
