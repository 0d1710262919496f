"""What to send: where to, how many, how far apart. Intervals are memoryless, so they beat with nothing periodic."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from measurement.errors import ConfigError

LONGEST_INTERVAL = 5.0
"""Intervals are cut at this many means: less than one in a hundred, and a phase of a few seconds keeps its count."""


class Endpoint(NamedTuple):
    """The other end. `key` turns STAMP's authenticated mode on; the fields after it are for the method `http`.

    `host` may be an address that was resolved before; `name` is then what the certificate and the request speak of.
    """

    host: str
    port: int = 862
    key: bytes | None = None
    path: str = "/"
    is_tls: bool = False
    name: str = ""
    authority: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoPlan:
    """How to probe. It ends after `count` probes or `duration_s`, whichever is first, or when told to stop.

    `is_stateful` says that the STAMP reflector counts on its own, as ours do: without that, loss has no direction.
    """

    count: int | None = None
    duration_s: float | None = None
    interval_s: float = 0.05
    timeout_s: float = 2.0
    size_bytes: int = 44
    is_stateful: bool = True
    rng: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        if self.count is not None and not 1 <= self.count <= 1_000_000:
            raise ConfigError(f"Invalid count {self.count}. 1 to 1000000.")
        if not 0.001 <= self.interval_s <= 60:
            raise ConfigError(f"Invalid interval_s {self.interval_s}. 0.001 to 60.")
        if not 0.01 <= self.timeout_s <= 60:
            raise ConfigError(f"Invalid timeout_s {self.timeout_s}. 0.01 to 60.")
        if not 44 <= self.size_bytes <= 1472:
            raise ConfigError(f"Invalid size_bytes {self.size_bytes}. 44 to 1472.")
        if self.duration_s is not None and not 0 < self.duration_s <= 86_400:
            raise ConfigError(f"Invalid duration_s {self.duration_s}. Up to 86400.")

    def next_interval_s(self) -> float:
        """Draw the time to the next probe: exponential, mean `interval_s`."""
        return min(self.rng.expovariate(1 / self.interval_s), LONGEST_INTERVAL * self.interval_s)
