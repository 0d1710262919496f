"""What a throughput phase may do, what it tells while it runs, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from measurement.errors import ConfigError
from measurement.record import Access, ThroughputResult
from probe.failures import NetworkFailure
from probe.target import Target


class Direction(StrEnum):
    """Which way the bytes go."""

    DOWNLINK = "downlink"
    UPLINK = "uplink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Limits of one phase, in one direction. Defaults are docs/methods.md's.

    `byte_budget` bounds all bytes of the phase, warm-up too. `is_thorough` runs the full time, for certified
    campaigns. `stream_count` overrides the choice by the pre-test.
    """

    duration_s: float = 10.0
    pretest_s: float = 2.0
    precision: float = 0.03
    byte_budget: int | None = None
    is_thorough: bool = False
    stream_count: int | None = None
    timeout_s: float = 5.0
    portable: bool = False

    def __post_init__(self) -> None:
        if not 0.5 <= self.duration_s <= 60:
            raise ConfigError(f"Invalid duration_s {self.duration_s}. 0.5 to 60.")
        if self.byte_budget is not None and self.byte_budget < 10_000:
            raise ConfigError(f"Invalid byte_budget {self.byte_budget}. At least 10000.")
        if self.stream_count is not None and not 1 <= self.stream_count <= 32:
            raise ConfigError(f"Invalid stream_count {self.stream_count}. 1 to 32.")


class Progress(NamedTuple):
    """A glance while a phase runs."""

    direction: Direction
    elapsed_s: float
    bytes_count: int
    rate_bps: float | None
    is_warming: bool


Listener = Callable[[Progress], None]


class Measured(NamedTuple):
    """What a method hands back. With a `failure`, `result` is what was measured before it, if anything."""

    result: ThroughputResult | None
    failure: NetworkFailure | None = None
    access: Access | None = None
    is_server_limited: bool = False
    starved_ratio: float = 0.0
    """Part of the time in which this process was kept from running: then it saw less than the line carried."""


class Method(Protocol):
    """A throughput method: blocking, never longer than the plan's times; network failures come back in `Measured`.

    Raises ConfigError where the method cannot run here at all (a binary that is missing, a bad option).
    """

    def __call__(self, direction: Direction, target: Target, plan: Plan, listener: Listener) -> Measured: ...  # noqa: D102
