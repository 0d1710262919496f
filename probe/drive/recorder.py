"""Looks at modem and receiver each second for as long as a drive lasts; each test takes its part of that."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec

from measurement.errors import InstrumentError
from measurement.record import Network, Position, RadioSample
from measurement.vocabulary import Leg
from probe.agent.clock import Clock
from probe.drive.logbook import Point
from probe.network import completed
from probe.position.movement import between_m
from probe.position.source import PositionSource
from probe.radio.source import RadioSource
from probe.surroundings import MAX_SAMPLES, Surroundings

_PLACE = ("longitude_deg", "latitude_deg", "accuracy_m", "altitude_m", "speed_mps")
_RADIO = ("leg", "cell_id", "pci", "arfcn", "band", "rsrp_dbm", "rsrq_db", "sinr_db")
FASTEST_MPS = 100.0  # a fast train; beyond it a receiver has jumped
JUMPS_BELIEVED = 5
KEPT_SECONDS = 3600  # what a display or a test can look back at

_log = logging.getLogger("haidang.drive")


class Look(NamedTuple):
    """What one second showed."""

    at_s: float
    position: Position | None
    samples: list[RadioSample]
    network: Network | None


class Recorder:
    """Looks once each `interval_s` of its clock and hands every point on. A source that fails leaves a gap."""

    def __init__(
        self,
        radio: RadioSource | None,
        position: PositionSource | None,
        keep: Callable[[Point], object],
        *,
        clock: Clock,
        interval_s: float = 1.0,
    ) -> None:
        self._radio, self._position, self._keep = radio, position, keep
        self.clock, self._interval_s = clock, interval_s
        self.looks: deque[Look] = deque(maxlen=KEPT_SECONDS)
        self.distance_m, self.point_count = 0.0, 0
        self.trouble: dict[str, str] = {}
        self._anchor: Position | None = None
        self._anchor_s, self._jump_count, self.track_from_s = 0.0, 0, float("-inf")
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_paused = False

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        due_s = self.clock.monotonic()
        while not self._stopped.is_set():
            self.look()
            due_s = max(due_s + self._interval_s, self.clock.monotonic())
            self.clock.wait(due_s - self.clock.monotonic())

    def look(self) -> Look:
        """Look once now, and keep a point unless paused."""
        samples, position, network = self._sampled(), self._fixed(), None
        if self._radio is not None:
            network = self._radio.network()
        seen = Look(self.clock.monotonic(), position, samples, None if network is None else completed(network))
        self.looks.append(seen)
        if not self.is_paused:
            self._measure(position)
            self.point_count += 1
            self._keep(point_of(self.clock.now(), seen))
        return seen

    def _sampled(self) -> list[RadioSample]:
        if self._radio is None:
            return []
        try:
            samples = self._radio.sample()
        except InstrumentError as error:
            self._tell("radio", str(error))
            return []
        self.trouble.pop("radio", None)
        return samples

    def _fixed(self) -> Position | None:
        if self._position is None:
            return None
        try:
            fix = self._position.fix()
        except InstrumentError as error:
            self._tell("position", str(error))
            return None
        if fix is None:
            self.trouble["position"] = "no fix yet"
        else:
            self.trouble.pop("position", None)
        return fix

    def _tell(self, source: str, reason: str) -> None:
        if self.trouble.get(source) != reason:
            _log.warning("no %s: %s", source, reason)
        self.trouble[source] = reason

    def _measure(self, position: Position | None) -> None:
        """Add to the way where the step is longer than the fixes' own noise and no faster than a vehicle.

        A receiver that jumps is not followed until it stays where it went: way and track begin anew there.
        """
        if position is None:
            return
        now_s = self.clock.monotonic()
        step = between_m(self._anchor, position) if self._anchor is not None else 0.0
        if step > FASTEST_MPS * max(1.0, now_s - self._anchor_s):
            self._jump_count += 1
            if self._jump_count < JUMPS_BELIEVED:
                return
            self.track_from_s, step = now_s, 0.0
            self._anchor = None
        self._jump_count = 0
        noise = max(3.0, position.accuracy_m or 0.0, (self._anchor.accuracy_m or 0.0) if self._anchor else 0.0)
        if self._anchor is None or step > noise:
            self.distance_m += step
            self._anchor, self._anchor_s = position, now_s

    @property
    def last(self) -> Look | None:
        """The newest look."""
        return self.looks[-1] if self.looks else None

    def speed_mps(self) -> float | None:
        """Return the speed: the receiver's, else the way between the looks of the last ten seconds."""
        last = self.last
        if last is None or last.position is None:
            return None
        if last.position.speed_mps is not None:
            return last.position.speed_mps
        earlier = [look for look in list(self.looks)[-11:] if look.position is not None]
        if len(earlier) < 2 or earlier[-1].at_s <= earlier[0].at_s or earlier[0].position is None:
            return None
        return between_m(earlier[0].position, last.position) / (earlier[-1].at_s - earlier[0].at_s)


class Part(Surroundings):
    """The recorder's looks since `start`, as a test wants its surroundings: nothing is sampled twice."""

    def __init__(self, recorder: Recorder, environment: str | None = None) -> None:
        super().__init__(environment=environment)
        self._recorder, self._from_s = recorder, recorder.clock.monotonic()

    def start(self) -> None:
        """Begin at the newest look."""
        last = self._recorder.last
        self._from_s = min(self._recorder.clock.monotonic(), last.at_s if last is not None else float("inf"))

    def stop(self) -> None:
        """Take what the recorder has seen until now."""
        looks = [look for look in list(self._recorder.looks) if look.at_s >= self._from_s]
        self._samples = [
            msgspec.structs.replace(sample, at_ms=(look.at_s - self._from_s) * 1000)
            for look in looks
            for sample in look.samples
        ][:MAX_SAMPLES]
        self._fixes = [look.position for look in looks if look.position is not None]

    def radio(self) -> list[RadioSample] | None:
        """Return the samples so far."""
        self.stop()
        return super().radio()

    def position(self) -> Position | None:
        """Return the last fix with the distance moved and the environment."""
        self.stop()
        return super().position()

    def network(self) -> Network | None:
        """Return the network as last seen."""
        return self._recorder.last.network if self._recorder.last is not None else None


def point_of(at: datetime, seen: Look) -> Point:
    """Flatten a look: the serving NR cell where there is one, else the anchor."""
    serving = [sample for sample in seen.samples if sample.is_serving]
    best = next((s for s in serving if s.leg is Leg.NR and s.rsrp_dbm is not None), serving[0] if serving else None)
    parts = ((seen.position, _PLACE), (seen.network, ("operator", "technology")), (best, _RADIO))
    told = {name: getattr(part, name) for part, names in parts if part is not None for name in names}
    return Point(at, **told)
