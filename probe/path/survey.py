"""One look at a path: every hop and the largest packet."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from probe.path.hops import AsnOf, HopFigures, figures
from probe.path.link import Link, ProbeKind
from probe.path.mtu import measure as measure_mtu
from probe.path.trace import Trace, TracePlan


class Survey(NamedTuple):
    """What was found on the way to an address."""

    address: str
    hops: list[HopFigures]
    mtu_bytes: int | None

    @property
    def is_reached(self) -> bool:
        """Did the destination itself answer?"""
        return bool(self.hops) and self.hops[-1].is_destination


def survey(
    host: str,
    kind: ProbeKind,
    plan: TracePlan,
    *,
    port: int | None = None,
    ip_version: int | None = None,
    pcap: str | None = None,
    with_mtu: bool = True,
    asn_of: AsnOf = lambda address: None,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Trace the path to a host.

    Raises
    ------
    PermissionError
        Where this process may not open raw sockets.
    OSError
        Where the name does not resolve, or nothing can be sent.
    ConfigError
        Where the capture cannot be written.
    """
    with Link(host, kind, port=port, pcap=pcap, ip_version=ip_version) as link:
        found = Survey(link.address, figures(Trace(link, plan, progress).run(), asn_of), None)
    if not with_mtu or not found.is_reached:
        return found
    with Link(found.address, ProbeKind.ICMP) as link:
        return found._replace(mtu_bytes=measure_mtu(link, plan.timeout_s / 3))
