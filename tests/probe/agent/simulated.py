"""An agent whose clock is simulated: a month passes in seconds."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from probe.agent.agent import Agent, Measured, Order
from probe.settings import Settings
from probe.spool.spool import Spool
from tests.probe.records import record

START = datetime(2026, 6, 30, 17, tzinfo=UTC)  # midnight of 1 July in Hải Phòng


class SimulatedClock:
    """Waiting takes no time; a test takes what `measure` says."""

    def __init__(self, start: datetime = START) -> None:
        self.start, self.seconds, self.offset = start, 0.0, timedelta(0)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds) + self.offset

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += max(0.0, seconds)

    def wake(self) -> None:
        pass


class Line:
    """A network whose tests cost `cost_bytes`, bounded by the order's budget; counts what it was asked."""

    def __init__(self, clock: SimulatedClock, cost_bytes: int = 80_000_000, seed: int = 1) -> None:
        self.clock, self.cost_bytes, self.rng = clock, cost_bytes, random.Random(seed)
        self.orders: list[tuple[datetime, Order, int]] = []
        self.count = 0

    def __call__(self, order: Order) -> Measured:
        self.count += 1
        cost = round(self.cost_bytes * self.rng.uniform(0.5, 1.5))
        cost = cost if order.byte_budget is None else min(cost, order.byte_budget)
        self.orders.append((self.clock.now(), order, cost))
        made = record(self.count, started_at=self.clock.now(), bytes_count=cost, is_failed=self.rng.random() < 0.05)
        self.clock.wait(20)
        return Measured(msgspec.structs.replace(made, mode=order.mode), cost)


def settings(**sections) -> Settings:
    return msgspec.convert({"peers": ["http://peer.test"], **sections}, Settings)


def agent(folder: Path, clock: SimulatedClock, line, reporter=None, chosen: Settings | None = None, **options) -> Agent:
    chosen = chosen or settings()
    spool = Spool(folder / "spool.sqlite", max_bytes=chosen.spool.max_bytes)
    return Agent(chosen, spool, reporter, line, clock=clock, rng=random.Random(3), boot_ms=lambda: clock.seconds * 1000,
                 **options)  # fmt: skip


def run(agent: Agent, clock: SimulatedClock, days: float) -> None:
    until = clock.seconds + days * 86_400
    while clock.seconds < until:
        clock.wait(min(max(agent.step(), 0.001), until - clock.seconds))
