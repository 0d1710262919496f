"""What all connections of a peer share: how it is set up, who is admitted, what was counted."""

from __future__ import annotations

from typing import Any

import msgspec

from probe.peer.admission import Admission
from probe.peer.limits import Limits
from probe.peer.metrics import Metrics
from probe.peer.rates import Rates

COMMON_HEADERS = (
    # A browser on the map's page measures against a peer on another origin.
    "Access-Control-Allow-Origin: *",
    "Timing-Allow-Origin: *",
    "X-Content-Type-Options: nosniff",
)


class PeerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a peer is set up. Port 0 takes any free one; `stamp_port` None follows the HTTP port's number, -1 is off."""

    host: str = "::"
    port: int = 8080
    stamp_port: int | None = None
    certificate: str | None = None
    key: str | None = None
    name: str = "haidang-peer"
    site: str | None = None
    is_domestic: bool | None = None
    asn: int | None = None
    ticket_key: bytes | None = None
    stamp_key: bytes | None = None
    limits: Limits = Limits()


class PeerState:
    """The peer as its connections and handlers see it."""

    def __init__(self, settings: PeerSettings) -> None:
        self.settings = settings
        self.common_headers = COMMON_HEADERS
        self.admission = Admission(settings.limits)
        self.metrics = Metrics(self.admission)
        self.admission.on_outcome = self._count_test
        self.reflector: Any = None
        self.rates = Rates()

    @property
    def stamp_port(self) -> int | None:
        """The reflector's port, None where it is off."""
        return None if self.reflector is None else int(self.reflector.port)

    def _count_test(self, outcome: str) -> None:
        if outcome == "ended":
            self.metrics.tests_ended.inc()
        else:
            self.metrics.tests.labels(outcome).inc()
