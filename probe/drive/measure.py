"""The tests of a drive, by the same cycle as everywhere: with throughput, or latency alone."""

from __future__ import annotations

import msgspec

from measurement.record import Record
from measurement.vocabulary import Mode
from probe.agent.clock import Clock
from probe.cycle import Clocks, Cycle, run_cycle
from probe.drive.recorder import Part
from probe.network import completed, describe
from probe.settings import Settings
from probe.target import parse
from probe.throughput.plan import Plan

LEAST_ECHO_S = 0.3
IDLE_BEFORE_LOAD_S = 2.0


class DriveInstrument:
    """Measures for a drive. `speed` compresses the echoes of a replay, whose seconds are shorter."""

    def __init__(self, settings: Settings, probe_id: str, name: str | None, speed: float, clock: Clock) -> None:
        self._settings, self._probe_id, self._name, self._speed = settings, probe_id, name, speed
        self._target = parse(settings.candidates()[0].url, settings.ca_file)
        self._clocks = Clocks(now=clock.now)

    def __call__(self, part: Part, is_throughput: bool, segment_s: float) -> Record:
        """Run one test; a failing network is in the record."""
        settings = self._settings
        common = {
            "probe_id": self._probe_id,
            "mode": Mode.DRIVE,
            "campaign": settings.campaign or self._name,
            "organisation": settings.organisation,
            "network": describe(settings.network),
        }
        if is_throughput:
            plan = Plan(is_thorough=settings.is_thorough)
            budget = settings.budget.test_bytes or None
            idle_s = max(LEAST_ECHO_S, IDLE_BEFORE_LOAD_S / self._speed)
            cycle = Cycle(plan=plan, byte_budget=budget, idle_s=idle_s, **common)  # type: ignore[arg-type]
        else:
            echo_s = max(LEAST_ECHO_S, segment_s / self._speed - 0.1)
            cycle = Cycle(directions=(), idle_s=echo_s, **common)  # type: ignore[arg-type]
        record = run_cycle(self._target, cycle, surroundings=part, clocks=self._clocks)
        if record.network is None:
            return record
        return msgspec.structs.replace(record, network=completed(record.network))
