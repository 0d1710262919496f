"""Any command that prints cells: `adb shell dumpsys telephony.registry`, ssh to a router, termux-telephony-cellinfo."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable

from measurement.errors import ConfigError, InstrumentError
from measurement.record import Network, RadioSample
from probe.radio import android, mikrotik, modemmanager, qmicli
from probe.radio.at import quectel, simcom
from probe.radio.reading import Reading

TIMEOUT_S = 5.0
MAX_CHARACTERS = 1 << 20

FORMATS: dict[str, Callable[[str], Reading]] = {
    "android": android.parse,
    "termux": android.parse_termux,
    "mikrotik": mikrotik.parse,
    "qmicli": qmicli.parse,
    "mmcli": modemmanager.cells_of,
    "quectel": quectel.parse,
    "simcom": simcom.parse,
}
# What to run where the settings name a format alone.
COMMANDS = {
    "android": "adb shell dumpsys telephony.registry",
    "termux": "termux-telephony-cellinfo",
    "qmicli": "qmicli -d /dev/cdc-wdm0 -p --nas-get-signal-info",
}


class CommandSource:
    """Runs a command at each sample and reads what it prints."""

    def __init__(self, name: str, command: str | None = None) -> None:
        """Check the format and split the command; raises ConfigError where there is none."""
        if name not in FORMATS:
            raise ConfigError(f"radio.format: Invalid format {name!r}. One of {', '.join(FORMATS)}.")
        line = command or COMMANDS.get(name)
        if not line:
            raise ConfigError(f"radio.command: Invalid null. The format {name!r} needs a command.")
        self._arguments, self._parse = shlex.split(line), FORMATS[name]
        self._network: Network | None = None

    def sample(self) -> list[RadioSample]:
        """Return the cells that the command prints."""
        try:
            done = subprocess.run(self._arguments, capture_output=True, timeout=TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = getattr(error, "strerror", None) or f"no answer within {TIMEOUT_S:g} s"
            raise InstrumentError(f"{self._arguments[0]}: {reason}") from None
        if done.returncode != 0:
            told = done.stderr.decode("utf-8", "replace").strip()[:200]
            raise InstrumentError(f"{self._arguments[0]}: {told or 'failed'}")
        reading = self._parse(done.stdout.decode("utf-8", "replace")[:MAX_CHARACTERS])
        self._network = reading.network or self._network
        return reading.samples

    def network(self) -> Network | None:
        """Return what the command told of the network."""
        return self._network

    def close(self) -> None:
        """Do nothing: nothing stays open."""
