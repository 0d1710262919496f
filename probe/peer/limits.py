"""What the peer allows. One row a limit, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from measurement.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one peer. Mobile carriers put thousands of phones behind one address, so those per address are wide."""

    tests: int = 16
    """Tests at one time: each has a fair share of the line only while they are few."""
    waiting: int = 64
    """Tests that may wait for a place."""
    wait_s: float = 4.0
    """A test waits this long, then it is told to come back: below the probe's own time limit."""
    connections: int = 512
    """Connections at one time: one thread each."""
    connections_per_address: int = 128
    tests_per_address: int = 4
    """Tests of one address at one time; more wait, while others pass."""
    tests_per_address_hour: int = 600
    seconds_per_address_hour: float = 3600.0
    """Seconds of testing of one address within an hour."""
    bytes_per_address_hour: int = 200 * 10**9
    test_s: float = 40.0
    """A test is over by then, both directions and idle phases together."""
    test_bytes: int = 100 * 10**9

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise ConfigError(f"Invalid {name} {getattr(self, name)}. At least 1.")
