"""The device through a cycle: CPU, other traffic, temperature; and what held the rates down."""

from __future__ import annotations

from pathlib import Path

from measurement.record import Device
from measurement.vocabulary import Confidence, LimitedBy
from probe.limits import ceiling as ceilings
from probe.limits.cpu import CpuMeter, CpuUse
from probe.limits.interface import Counters, counters, is_virtual, link_bps
from probe.limits.judge import Evidence, cross_bytes, judge
from probe.target import Target
from probe.throughput.plan import Direction, Measured, Plan

_MODELS = (Path("/proc/device-tree/model"), Path("/sys/class/dmi/id/product_name"))
_ZONES = Path("/sys/class/thermal")


class DeviceMeter:
    """Meters each phase between `begin` and `end`."""

    def __init__(self, interface: str | None) -> None:
        self.interface = interface
        self._cpu: CpuMeter | None = None
        self._before: Counters | None = None
        self._cpu_max: float | None = None
        self._cross: int | None = None
        self._limits: list[LimitedBy] = []

    def begin(self) -> None:
        """Mark the start of a phase."""
        self._cpu, self._before = CpuMeter(), counters(self.interface)

    def end(
        self, method: str, direction: Direction, target: Target, measured: Measured, plan: Plan
    ) -> LimitedBy | None:
        """Judge a phase by what its meters saw."""
        if self._cpu is None:
            return None
        cpu = self._cpu.lap()
        self._keep(cpu)
        result = measured.result
        if result is None:
            return None
        cross = self._cross_traffic(result.bytes_count or 0, direction)
        if cross is not None:
            self._cross = (self._cross or 0) + cross
        link = None if self.interface is None or is_virtual(self.interface) else link_bps(self.interface)
        seen = Evidence(
            goodput_bps=result.goodput_bps,
            bytes_count=result.bytes_count or 0,
            stop_reason=result.stop_reason,
            is_precise=result.confidence is Confidence.HIGH,
            is_server_limited=measured.is_server_limited,
            starved_ratio=measured.starved_ratio,
            cpu=cpu,
            cross_bytes=cross,
            link_bps=link,
            ceiling_bps=self._ceiling(method, direction, target),
        )
        self._limits.append(judge(seen))
        return self._limits[-1]

    def device(self) -> Device:
        """Return the device's group of the record; the cause named is the first that is not the network."""
        causes = [cause for cause in self._limits if cause is not LimitedBy.NETWORK]
        return Device(
            model=_model(),
            cpu_max_ratio=self._cpu_max,
            cross_traffic_bytes=self._cross,
            temperature_c=_temperature_c(),
            limited_by=causes[0] if causes else LimitedBy.NETWORK if self._limits else None,
        )

    def _keep(self, cpu: CpuUse) -> None:
        busy = min(1.0, cpu.process if cpu.busiest is None else cpu.busiest)
        self._cpu_max = max(self._cpu_max or 0.0, busy)

    def _cross_traffic(self, moved: int, direction: Direction) -> int | None:
        before, after = self._before, counters(self.interface)
        if before is None or after is None:
            return None
        if direction is Direction.DOWNLINK:
            return cross_bytes(moved, after.received - before.received)
        return cross_bytes(moved, after.sent - before.sent)

    @staticmethod
    def _ceiling(method: str, direction: Direction, target: Target) -> float | None:
        stored = ceilings.read()
        if stored is None:
            return None
        table = stored.downlink_bps if direction is Direction.DOWNLINK else stored.uplink_bps
        return table.get(f"{method}-tls" if target.is_tls else method)


def _model() -> str | None:
    for path in _MODELS:
        try:
            text = path.read_text(errors="replace").strip("\0 \n")
        except OSError:
            continue
        if text:
            return text[:200]
    return None


def _temperature_c() -> float | None:
    readings = []
    for zone in sorted(_ZONES.glob("thermal_zone*/temp")):
        try:
            readings.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    sane = [reading for reading in readings if -60 <= reading <= 150]
    return max(sane) if sane else None
