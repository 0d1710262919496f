"""Whatever modem there is: ModemManager's first, else a serial port that answers AT; looked for until one is found."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence

from measurement.errors import InstrumentError
from measurement.record import Network, RadioSample
from probe.radio.at.source import AtSource
from probe.radio.modemmanager import ModemManagerSource
from probe.radio.source import RadioSource

LOOK_AGAIN_S = 60.0  # looking opens every serial port; a modem that is plugged in may wait a minute


def candidates(device: str | None, *, baud: int, gnb_id_bits: int, sinr_scale: float | None) -> list[RadioSource]:
    """Return what may answer, in order; a device that the user names is a serial port."""
    serial = AtSource(device, baud=baud, gnb_id_bits=gnb_id_bits, sinr_scale=sinr_scale)
    if device is None and shutil.which("mmcli"):
        return [ModemManagerSource(gnb_id_bits=gnb_id_bits), serial]
    return [serial]


class AutoSource:
    """The first of several sources that answers, for as long as it does."""

    def __init__(self, sources: Sequence[RadioSource], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sources, self._monotonic = list(sources), monotonic
        self._chosen: RadioSource | None = None
        self._look_at_s = float("-inf")

    def sample(self) -> list[RadioSample]:
        """Return the cells of the chosen modem; without one look again once a minute."""
        if self._chosen is not None:
            try:
                return self._chosen.sample()
            except InstrumentError:
                self._chosen = None
                raise
        if self._monotonic() < self._look_at_s:
            return []
        self._look_at_s = self._monotonic() + LOOK_AGAIN_S
        reasons: list[str] = []
        for source in self._sources:
            try:
                samples = source.sample()
            except InstrumentError as error:
                reasons.append(str(error))
                continue
            self._chosen = source
            return samples
        raise InstrumentError("; ".join(reasons))

    def network(self) -> Network | None:
        """Return what the chosen modem knows."""
        return None if self._chosen is None else self._chosen.network()

    def close(self) -> None:
        """Give every device back."""
        for source in self._sources:
            source.close()
