"""One test cycle becomes one record: idle latency, downlink with its loaded latency, uplink with its loaded latency.

A failing network is a record with `failure` and `operation`, and with whatever was measured before it; never an
exception. The cycle ends within `Cycle.longest_s`.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from measurement.errors import InstrumentError
from measurement.identity import uuid7
from measurement.record import (
    SCHEMA_VERSION,
    Access,
    Latency,
    LatencyResult,
    Network,
    Outcome,
    Record,
    Responsiveness,
    ResponsivenessResult,
    Server,
    Throughput,
)
from measurement.vocabulary import Failure, LatencyMethod, Mode, Operation, Status
from probe import methods
from probe.failures import NetworkFailure
from probe.inquiry import PeerAnswer, inquire
from probe.latency import Echoes, EchoPlan, Endpoint, collect, summarise
from probe.limits.device import DeviceMeter
from probe.limits.interface import interface_of, local_address
from probe.responsiveness import responsiveness
from probe.surroundings import Surroundings
from probe.target import Target, addresses, reachable
from probe.throughput.plan import Direction, Listener, Measured, Method, Plan, Progress
from probe.version import AGENT

IDLE_S = 2.0
ECHO_INTERVAL_S = 0.05
DOWNLINK_SHARE = 0.7
"""Part of a byte budget for the downlink, which is the faster way on mobile networks; the uplink has what is left."""
FALLBACKS = {"iperf3": LatencyMethod.ICMP}
"""Without a reflector latency is measured by TCP connections, but iperf3's server takes each of them for a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What to measure, and who measures it."""

    probe_id: str
    mode: Mode = Mode.MANUAL
    method: str = "http"
    latency_method: LatencyMethod = LatencyMethod.STAMP
    directions: tuple[Direction, ...] = (Direction.DOWNLINK, Direction.UPLINK)
    plan: Plan = field(default_factory=Plan)
    byte_budget: int | None = None
    idle_s: float = IDLE_S
    stamp_key: bytes | None = None
    campaign: str | None = None
    organisation: str | None = None
    sequence: int | None = None
    attempt_count: int | None = None
    network: Network | None = None

    @property
    def longest_s(self) -> float:
        """The time limit of the whole cycle."""
        phase = self.plan.duration_s + 2 * self.plan.pretest_s + 4 * self.plan.timeout_s + 10
        return 4 * self.plan.timeout_s + self.idle_s + 5 + len(self.directions) * phase


class Clocks:
    """Time and chance, handed in so that tests may set them."""

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.now, self.monotonic, self.random_bytes = now, monotonic, random_bytes


def run_cycle(
    target: Target,
    cycle: Cycle,
    *,
    listener: Listener = lambda progress: None,
    surroundings: Surroundings | None = None,
    clocks: Clocks | None = None,
) -> Record:
    """Measure once and return the record.

    Raises
    ------
    ConfigError
        Where the method cannot run here. Everything that the network does is in the record.
    """
    around = surroundings or Surroundings()
    with around:
        return _Run(target, cycle, listener, around, clocks or Clocks()).run()


class _Run:
    def __init__(
        self, target: Target, cycle: Cycle, listener: Listener, surroundings: Surroundings, clocks: Clocks
    ) -> None:
        self.target, self.cycle, self.listener = target, cycle, listener
        self.surroundings, self.clocks = surroundings, clocks
        self.failure: NetworkFailure | None = None
        self.latencies: dict[str, LatencyResult] = {}
        self.responsive: dict[str, ResponsivenessResult] = {}
        self.measured: dict[Direction, Measured] = {}
        self.access: Access | None = None
        self.peer: PeerAnswer | None = None
        self.device = DeviceMeter(None)

    def run(self) -> Record:
        # The id is made before the test, so that whatever happens after has one identity.
        started_at = self.clocks.now()
        record_id = uuid7(max(0, int(started_at.timestamp() * 1000)), self.clocks.random_bytes(10))
        started = self.clocks.monotonic()
        measure = methods.load(self.cycle.method)
        try:
            self._reach()
            self._idle()
            for direction in self.cycle.directions:
                self._phase(direction, measure)
        except NetworkFailure as failure:
            self._note(failure)
        except KeyboardInterrupt:
            self._note(NetworkFailure(Failure.INTERRUPTED, Operation.TRANSFER))
        return self._record(record_id, started_at, (self.clocks.monotonic() - started) * 1000)

    def _note(self, failure: NetworkFailure) -> None:
        self.failure = self.failure or failure

    def _reach(self) -> None:
        """Find the peer and ask what it is; methods of other people need no peer of ours."""
        self.target = methods.find(self.cycle.method, self.target, self.cycle.plan.timeout_s)
        started = self.clocks.monotonic()
        found = addresses(self.target, 2 * self.cycle.plan.timeout_s)
        resolve_ms = (self.clocks.monotonic() - started) * 1000
        self.target = reachable(found, min(2.0, self.cycle.plan.timeout_s))
        self.access = Access(resolve_ms=resolve_ms)
        interface = interface_of(local_address(*self.target.socket_address))
        self.device = DeviceMeter(interface)
        try:
            self.peer = inquire(self.target, self.cycle.plan.timeout_s)
        except NetworkFailure as failure:
            if failure.access is not None:
                self.access = msgspec.structs.replace(failure.access, resolve_ms=resolve_ms)
            if self.cycle.method == "http":
                raise
            return
        self.access = msgspec.structs.replace(self.peer.access, resolve_ms=resolve_ms)

    def _endpoint(self) -> tuple[LatencyMethod, Endpoint]:
        """Return how to probe latency: by STAMP where the peer reflects it, else by TCP connections."""
        address, method = self.target.socket_address, self.cycle.latency_method
        if method is LatencyMethod.STAMP:
            if self.peer is None or self.peer.stamp_port is None:
                return FALLBACKS.get(self.cycle.method, LatencyMethod.TCP), Endpoint(*address)
            return method, Endpoint(address[0], self.peer.stamp_port, key=self.cycle.stamp_key)
        there, path = self.target, self.target.path + "/healthz"
        return method, Endpoint(*address, path=path, is_tls=there.is_tls, name=there.host, authority=there.authority)

    def _echo(self, duration_s: float, stop: threading.Event | None = None) -> Echoes | None:
        method, endpoint = self._endpoint()
        plan = EchoPlan(
            duration_s=duration_s, interval_s=ECHO_INTERVAL_S, timeout_s=min(2.0, self.cycle.plan.timeout_s)
        )
        try:
            return collect(method, endpoint, plan, stop)
        except (OSError, InstrumentError):
            return None  # no socket for this method: absent, as if it was not asked for

    def _idle(self) -> None:
        if self.cycle.idle_s <= 0:
            return
        echoes = self._echo(self.cycle.idle_s)
        if echoes is not None and echoes.method is LatencyMethod.STAMP and not summarise(echoes).received_count:
            # UDP is blocked on the way, or the reflector is: TCP still tells a latency, and no loss is made up.
            self.peer = None if self.peer is None else self.peer._replace(stamp_port=None)
            echoes = self._echo(self.cycle.idle_s)
        if echoes is not None:
            self.latencies["idle"] = summarise(echoes)

    def _phase(self, direction: Direction, measure: Method) -> None:
        plan = self._plan(direction)
        if plan is None:
            return
        loaded = _Loaded(self._echo, plan)
        self.device.begin()
        try:
            measured = measure(direction, self.target, plan, loaded.listen(self.listener))
        finally:
            echoes = loaded.stop()
        self.device.end(self.cycle.method, direction, self.target, measured, plan)
        self.measured[direction] = measured
        if echoes is not None:
            self.latencies[direction.value] = summarise(echoes)
            rpm = responsiveness(echoes)
            if rpm is not None:
                self.responsive[direction.value] = rpm
        if measured.failure is not None:
            self._note(measured.failure)

    def _plan(self, direction: Direction) -> Plan | None:
        """Return the phase's plan within the cycle's bytes, None where none are left."""
        budget = self.cycle.byte_budget
        if budget is None:
            return self.cycle.plan
        spent = sum(m.result.bytes_count or 0 for m in self.measured.values() if m.result is not None)
        is_last = direction is self.cycle.directions[-1]
        left = budget - spent if is_last else round(budget * DOWNLINK_SHARE)
        if left < 10_000:
            return None
        known = self.cycle.plan.byte_budget
        return dataclasses.replace(self.cycle.plan, byte_budget=left if known is None else min(left, known))

    def _record(self, record_id: str, started_at: datetime, duration_ms: float) -> Record:
        cycle, results = self.cycle, {d.value: m.result for d, m in self.measured.items() if m.result is not None}
        has_any = bool(results) or bool(self.latencies)
        status = Status.COMPLETE if self.failure is None else Status.PARTIAL if has_any else Status.FAILED
        return Record(
            record_id=record_id,
            schema_version=SCHEMA_VERSION,
            probe_id=cycle.probe_id,
            agent=AGENT,
            mode=cycle.mode,
            campaign=cycle.campaign,
            organisation=cycle.organisation,
            sequence=cycle.sequence,
            attempt_count=cycle.attempt_count,
            started_at=started_at,
            duration_ms=duration_ms,
            position=self.surroundings.position(),
            radio=self.surroundings.radio(),
            network=self._network(),
            latency=Latency(**self.latencies) if self.latencies else None,
            throughput=Throughput(**results) if results else None,
            responsiveness=Responsiveness(**self.responsive) if self.responsive else None,
            access=self.access,
            server=self._server(),
            device=self.device.device(),
            outcome=Outcome(
                status=status,
                failure=None if self.failure is None else self.failure.failure,
                operation=None if self.failure is None else self.failure.operation,
            ),
        )

    def _network(self) -> Network:
        known = self.surroundings.network() or self.cycle.network or Network()
        changes: dict[str, object] = {"ip_version": self.target.ip_version if self.target.address else None}
        if known.interface is None:
            changes["interface"] = self.device.interface
        return msgspec.structs.replace(known, **changes)

    def _server(self) -> Server:
        answer = self.peer
        if answer is None:
            return Server(host=self.target.host[:200])
        return Server(host=self.target.host[:200], site=answer.site, asn=answer.asn, is_domestic=answer.is_domestic)


class _Loaded:
    """Echoes while a phase is past its warm-up, in a thread that ends with it."""

    def __init__(self, run_echo: Callable[[float, threading.Event | None], Echoes | None], plan: Plan) -> None:
        self._run_echo, self._plan = run_echo, plan
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._result: Echoes | None = None

    def listen(self, listener: Listener) -> Listener:
        """Return a listener that starts the echoes when the line is warm."""

        def on_progress(progress: Progress) -> None:
            if not progress.is_warming and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="loaded-latency", daemon=True)
                self._thread.start()
            listener(progress)

        return on_progress

    def _run(self) -> None:
        self._result = self._run_echo(self._plan.duration_s + 2 * self._plan.pretest_s, self._stop)

    def stop(self) -> Echoes | None:
        """End the echoes and return them, None where the phase never was warm."""
        self._stop.set()
        if self._thread is None:
            return None
        self._thread.join(self._plan.timeout_s + 3)
        return self._result
