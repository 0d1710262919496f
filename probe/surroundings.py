"""Radio and position through one test, sampled each second in a thread of their own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

import msgspec

from measurement.errors import InstrumentError
from measurement.record import Network, Position, RadioSample
from probe.position.movement import environment_of, moved_m
from probe.position.source import PositionSource
from probe.radio.source import RadioSource

MAX_SAMPLES = 4096  # the record's own bound

_log = logging.getLogger("haidang.surroundings")


class Surroundings:
    """Samples both sources from `start` (or `with`) to `stop`; what it saw is in `radio()`, `position()`, `network()`.

    Either source may be None. A source that fails leaves a gap and is told once, never an exception.
    """

    def __init__(
        self,
        radio: RadioSource | None = None,
        position: PositionSource | None = None,
        *,
        interval_s: float = 1.0,
        environment: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._radio, self._position = radio, position
        self._interval_s, self._monotonic, self._environment = interval_s, monotonic, environment
        self._samples: list[RadioSample] = []
        self._fixes: list[Position] = []
        self._told: set[str] = set()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._start_s = 0.0

    def start(self) -> None:
        """Begin to sample; the first samples are taken at once."""
        self._start_s = self._monotonic()
        self._samples, self._fixes = [], []
        self._stopped.clear()
        if self._radio is None and self._position is None:
            return
        self._thread = threading.Thread(target=self._run, name="surroundings", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End sampling; waits for a sample under way, at most two intervals."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * self._interval_s + 1)
            self._thread = None

    def __enter__(self) -> Surroundings:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        while True:
            self.sample_once()
            if self._stopped.wait(self._interval_s):
                return

    def sample_once(self) -> None:
        """Take one sample of each source now."""
        at_ms = max(0.0, (self._monotonic() - self._start_s) * 1000)
        if self._radio is not None and len(self._samples) < MAX_SAMPLES:
            try:
                seen = self._radio.sample()
            except InstrumentError as error:
                self._tell("radio", error)
            else:
                room = MAX_SAMPLES - len(self._samples)
                self._samples += [msgspec.structs.replace(sample, at_ms=at_ms) for sample in seen[:room]]
        if self._position is not None:
            try:
                fix = self._position.fix()
            except InstrumentError as error:
                self._tell("position", error)
            else:
                if fix is not None:
                    self._fixes.append(fix)

    def _tell(self, source: str, error: InstrumentError) -> None:
        if source not in self._told:
            self._told.add(source)
            _log.warning("no %s: %s", source, error)

    def radio(self) -> list[RadioSample] | None:
        """Return every radio sample so far, None where there is none."""
        return list(self._samples) or None

    def position(self) -> Position | None:
        """Return the last fix, with the distance moved since the first and the environment."""
        fixes = list(self._fixes)
        if not fixes:
            return None
        environment = self._environment or environment_of(fixes) or fixes[-1].environment
        return msgspec.structs.replace(fixes[-1], moved_m=moved_m(fixes), environment=environment)

    def network(self) -> Network | None:
        """Return what the radio source knows of the network."""
        return None if self._radio is None else self._radio.network()
