"""The protocol of every radio source."""

from __future__ import annotations

from typing import Protocol

from measurement.record import Network, RadioSample


class RadioSource(Protocol):
    """Something that knows the cells around the probe.

    A source that cannot answer now returns nothing and never raises for what a modem may say. It raises
    `InstrumentError` only where the device is gone; the sampler then tries again at its next turn.
    """

    def sample(self) -> list[RadioSample]:
        """Return the serving and neighbouring cells of this moment, `at_ms` 0."""

    def network(self) -> Network | None:
        """Return operator, PLMN, roaming and technology as last seen, None where the source cannot tell."""

    def close(self) -> None:
        """Give the device back."""
