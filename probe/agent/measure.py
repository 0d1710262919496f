"""One test for the agent: picks the nearest peer, samples the surroundings, runs the cycle, says what it cost."""

from __future__ import annotations

import dataclasses
import logging
import random

import msgspec

from measurement.record import Position, Record
from probe import nearest
from probe.agent.agent import Measured, Order
from probe.cycle import Cycle, run_cycle
from probe.network import asn_table, completed, describe, public_address
from probe.position.source import PositionSource
from probe.radio.source import RadioSource
from probe.surroundings import Surroundings
from probe.target import Target, parse
from probe.throughput.plan import Plan

# Headers and acknowledgements of TCP/IP with full segments, both ways (40 of 1500 bytes, an ACK for every second one).
OVERHEAD_RATIO = 0.045
ECHO_BYTES = 2 * 72  # a STAMP packet of 44 bytes in UDP/IPv4, out and back
HANDSHAKE_BYTES = 20_000  # name, connections, TLS, the inquiry: rounded up
FRESH_S = 60.0  # at 50 km/h an older fix is out of a stop's reach twice over

_log = logging.getLogger("haidang.agent")


class Instrument:
    """Measures to order. Holds the sources, so that a modem is opened once and not each hour."""

    def __init__(
        self,
        probe_id: str,
        radio: RadioSource | None = None,
        position: PositionSource | None = None,
        *,
        rng: random.Random | None = None,
    ) -> None:
        self._probe_id, self._radio, self._position = probe_id, radio, position
        self._rng = rng or random.Random()

    def __call__(self, order: Order) -> Measured:
        """Run one test; a failing network is in the record."""
        settings = order.settings
        role = self._rng.choice(settings.roles) if settings.roles else None
        candidates = settings.candidates(role)
        standings = nearest.order(candidates, _log.info, settings.ca_file)
        cycle = Cycle(
            probe_id=self._probe_id,
            mode=order.mode,
            method=self._rng.choice(settings.methods).value,
            plan=Plan(is_thorough=settings.is_thorough),
            byte_budget=order.byte_budget,
            campaign=settings.campaign,
            organisation=settings.organisation,
            network=describe(settings.network),
        )

        def run(target: Target, attempt: int) -> Record:
            around = Surroundings(self._radio, self._position, environment=settings.position.environment)
            return run_cycle(target, dataclasses.replace(cycle, attempt_count=attempt), surroundings=around)

        record = nearest.measure(standings, run, _log.info, settings.ca_file)
        if record.network is not None:
            table = asn_table(settings.network.asn_table) if settings.network.asn_table else None
            address = public_address(parse(candidates[0].url).host) if table is not None else None
            record = msgspec.structs.replace(record, network=completed(record.network, address, table))
        return Measured(record, cost_of(record))

    def fix(self) -> Position | None:
        """Return where the probe is, None where it does not know, or has not known for a while."""
        last = self._position.fix() if self._position is not None else None
        return last if last is not None and (last.age_s or 0.0) <= FRESH_S else None

    def close(self) -> None:
        """Give the devices back."""
        for source in (self._radio, self._position):
            if source is not None:
                source.close()


def cost_of(record: Record) -> int:
    """Estimate what a test has cost on the air, headers included."""
    payload = echoes = 0
    if record.throughput is not None:
        for result in (record.throughput.downlink, record.throughput.uplink):
            payload += (result.bytes_count or 0) if result is not None else 0
    if record.latency is not None:
        for phase in (record.latency.idle, record.latency.downlink, record.latency.uplink):
            echoes += phase.sent_count if phase is not None else 0
    return round(payload * (1 + OVERHEAD_RATIO)) + echoes * ECHO_BYTES + HANDSHAKE_BYTES
