"""From the samples of each hop to figures, segments of the path, and where trouble starts. Pure functions."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from measurement.record import Hop
from measurement.record import Path as RecordPath
from probe.latency.statistics import percentile, wilson_interval

LOSS_CERTAIN = 0.02
"""Loss is called trouble where its whole 95 % interval lies above this."""
RTT_MOST_MS = 100.0
"""A path is slow above this, and the segment that adds most of it is named."""
RISE_SHARE = 0.4
_INNER_IPV4 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
_INNER_IPV6 = ("fc00::/7", "fe80::/10", "::1/128")
_INNER = tuple(ipaddress.ip_network(block) for block in (*_INNER_IPV4, *_INNER_IPV6))
"""RFC 1918, 6598, 3927, 4193, 4291."""
AsnOf = Callable[[str], int | None]
"""Returns the number of the autonomous system that announces an address, None where it is not known."""


class Segment(StrEnum):
    """The part of the path a hop lies in, as far as addresses tell."""

    ACCESS = "access"
    OPERATOR = "operator"
    BEYOND = "beyond"


class Trouble(StrEnum):
    """What is wrong with a path."""

    UNREACHABLE = "unreachable"
    LOSS = "loss"
    DELAY = "delay"


@dataclass(slots=True)
class HopSamples:
    """What came back from one distance."""

    ttl: int
    sent_count: int = 0
    rtt_ms: list[float] = field(default_factory=list)
    addresses: dict[str, int] = field(default_factory=dict)
    is_destination: bool = False
    is_refusal: bool = False

    @property
    def address(self) -> str | None:
        """The address that answered most often."""
        return max(self.addresses, key=lambda address: self.addresses[address]) if self.addresses else None


class HopFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    ttl: int
    address: str | None
    addresses: list[str]
    segment: Segment | None
    sent_count: int
    received_count: int
    loss_ratio: float
    rtt_min_ms: float | None
    rtt_median_ms: float | None
    rtt_max_ms: float | None
    is_destination: bool


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Where trouble starts: the first hop from which it persists to the end."""

    trouble: Trouble
    segment: Segment
    ttl: int
    text: str


def is_operators(address: str) -> bool:
    """Is the address one that no network outside an operator's (or a home) may use?

    Examples
    --------
    >>> is_operators('10.64.1.1'), is_operators('100.70.0.1'), is_operators('203.113.131.1')
    (True, True, False)
    """
    ip = ipaddress.ip_address(address)
    return any(ip in block for block in _INNER)


def network_of(address: str) -> str:
    """Return the block by which one operator is told from the next: /16, or /32 of IPv6."""
    ip = ipaddress.ip_address(address)
    return str(ipaddress.ip_network(f"{ip}/{16 if ip.version == 4 else 32}", strict=False))


def segments(addresses: list[str | None], asn_of: AsnOf = lambda address: None) -> list[Segment | None]:
    """Assign hops to segments: the first that answers is the access; then what is private, or in the network of the
    first public hop, is the operator's; the rest lies beyond. A silent hop belongs where both neighbours do.

    Networks are told apart by `asn_of`, and by blocks of addresses where it knows no number.

    Examples
    --------
    >>> [str(s) for s in segments(['10.0.0.1', '100.64.0.9', '203.113.1.1', '203.113.9.9', '8.8.8.8'])]
    ['access', 'operator', 'operator', 'operator', 'beyond']
    """
    found: list[Segment | None] = []
    home: str | int | None = None
    now: Segment | None = None
    for address in addresses:
        if address is not None:
            if now is None:
                now = Segment.ACCESS
            elif now is not Segment.BEYOND:
                is_public = not is_operators(address)
                network = asn_of(address) or network_of(address)
                home = home or (network if is_public else None)
                now = Segment.BEYOND if is_public and network != home else Segment.OPERATOR
        found.append(now if address is not None else None)
    return [
        segment or (found[index - 1] if 0 < index < len(found) - 1 and found[index - 1] is found[index + 1] else None)
        for index, segment in enumerate(found)
    ]


def figures(samples: list[HopSamples], asn_of: AsnOf = lambda address: None) -> list[HopFigures]:
    """Reduce each hop's samples."""
    return [
        HopFigures(
            ttl=hop.ttl,
            address=hop.address,
            addresses=sorted(hop.addresses),
            segment=segment,
            sent_count=hop.sent_count,
            received_count=len(hop.rtt_ms),
            loss_ratio=1 - min(1.0, len(hop.rtt_ms) / hop.sent_count) if hop.sent_count else 1.0,
            rtt_min_ms=min(hop.rtt_ms, default=None),
            rtt_median_ms=percentile(hop.rtt_ms, 0.5) if hop.rtt_ms else None,
            rtt_max_ms=max(hop.rtt_ms, default=None),
            is_destination=hop.is_destination,
        )
        for hop, segment in zip(samples, segments([hop.address for hop in samples], asn_of), strict=True)
    ]


def _segment_at(hops: list[HopFigures], index: int) -> Segment:
    """Return the segment of a hop; a silent one is taken with the one before it."""
    for hop in reversed(hops[: index + 1]):
        if hop.segment is not None:
            return hop.segment
    return Segment.ACCESS


def unreachable(hops: list[HopFigures]) -> Finding | None:
    """Find out beyond which hop nothing answers."""
    if any(hop.is_destination for hop in hops):
        return None
    heard = [index for index, hop in enumerate(hops) if hop.received_count]
    if not heard:
        return Finding(
            trouble=Trouble.UNREACHABLE, segment=Segment.ACCESS, ttl=1, text="Nothing answers, not even the first hop."
        )
    last = hops[heard[-1]]
    return Finding(
        trouble=Trouble.UNREACHABLE,
        segment=_segment_at(hops, heard[-1]),
        ttl=last.ttl,
        text=f"Nothing answers beyond hop {last.ttl} ({last.address}); the host may also be silent by choice.",
    )


def loss(hops: list[HopFigures]) -> Finding | None:
    """Find the first hop from which loss persists to the destination. Loss at a hop alone is a router's thrift."""
    end = hops[-1] if hops and hops[-1].is_destination else None
    if end is None or not end.sent_count:
        return None
    low, _ = wilson_interval(end.sent_count - min(end.received_count, end.sent_count), end.sent_count)
    if low <= LOSS_CERTAIN:
        return None
    first = len(hops) - 1
    while first > 0 and hops[first - 1].loss_ratio >= end.loss_ratio / 2:
        first -= 1
    return Finding(
        trouble=Trouble.LOSS,
        segment=_segment_at(hops, first),
        ttl=hops[first].ttl,
        text=f"{end.loss_ratio:.0%} of {end.sent_count} probes are lost, beginning at hop {hops[first].ttl}.",
    )


def delay(hops: list[HopFigures]) -> Finding | None:
    """Find the hop that adds most to a slow path. A hop slower than a later one is a router's low priority."""
    end = hops[-1] if hops and hops[-1].is_destination else None
    if end is None or end.rtt_median_ms is None or end.rtt_median_ms <= RTT_MOST_MS:
        return None
    heard = [(index, hop.rtt_median_ms) for index, hop in enumerate(hops) if hop.rtt_median_ms is not None]
    floors = [min(rtt for _, rtt in heard[place:]) for place in range(len(heard))]
    rises = [floors[0], *(later - earlier for earlier, later in itertools.pairwise(floors))]
    place = max(range(len(rises)), key=rises.__getitem__)
    if rises[place] < RISE_SHARE * end.rtt_median_ms:
        return None
    index = heard[place][0]
    return Finding(
        trouble=Trouble.DELAY,
        segment=_segment_at(hops, index),
        ttl=hops[index].ttl,
        text=f"{rises[place]:.0f} of {end.rtt_median_ms:.0f} ms are added at hop {hops[index].ttl}.",
    )


def findings(hops: list[HopFigures]) -> list[Finding]:
    """Return all that is wrong, the worst first."""
    return [found for look in (unreachable, loss, delay) if (found := look(hops)) is not None]


def coarse(address: str) -> str:
    """Coarsen an address to /24 or /48, as it is stored.

    Examples
    --------
    >>> coarse('203.113.131.7'), coarse('2001:ee0:4000:1::7')
    ('203.113.131.0/24', '2001:ee0:4000::/48')
    """
    ip = ipaddress.ip_address(address)
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 48}", strict=False))


def as_record(hops: list[HopFigures], mtu_bytes: int | None) -> RecordPath:
    """Return the path as the record keeps it, with coarsened addresses."""
    return RecordPath(
        hops=[
            Hop(
                ttl=hop.ttl,
                address=None if hop.address is None else coarse(hop.address),
                rtt_median_ms=None if hop.rtt_median_ms is None else max(0.001, hop.rtt_median_ms),
                loss_ratio=hop.loss_ratio,
            )
            for hop in hops
        ],
        mtu_bytes=mtu_bytes,
    )
