"""The radio source over AT: finds the port, recognises the maker, asks its dialect and the generic one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from measurement.errors import InstrumentError
from measurement.record import Network, RadioSample
from probe.radio.at import generic, quectel, simcom
from probe.radio.at.port import AtPort
from probe.radio.reading import Reading

PROBE_S = 1.0  # a port that is no AT port stays silent; there may be four of them on one modem
GENERIC_EVERY = 10  # samples; operator and registration change seldom
_PATTERNS = ("serial/by-id/*", "ttyUSB*", "ttyACM*")


class Dialect(NamedTuple):
    """What a maker's modems understand. `words` stand in the answer to ATI or AT+CGMI."""

    name: str
    words: tuple[str, ...]
    commands: tuple[str, ...]
    parser: Callable[[float | None, int], Callable[[str], Reading]]


def _quectel(sinr_scale: float | None, gnb_id_bits: int) -> Callable[[str], Reading]:
    scale = quectel.SinrScale(sinr_scale)
    return lambda text: quectel.parse(text, scale, gnb_id_bits)


DIALECTS = (
    Dialect("quectel", ("quectel",), quectel.COMMANDS, _quectel),
    Dialect(
        "simcom",
        ("simcom", "sim7", "sim8", "a76"),
        simcom.COMMANDS,
        lambda _, bits: lambda text: simcom.parse(text, bits),
    ),
    Dialect("generic", (), (), lambda _, bits: lambda text: Reading([])),
)
BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def detect(port: AtPort) -> Dialect:
    """Return the dialect of the modem on a port; `generic` where the maker is none of the table.

    Raises
    ------
    InstrumentError
        Where nothing on the port answers AT.
    """
    port.ask("ATE0", PROBE_S)
    said = port.ask("AT+CGMI", PROBE_S) + port.ask("ATI", PROBE_S)
    if "OK" not in said and "ERROR" not in said:
        raise InstrumentError(f"serial port {port.device}: no AT modem answers")
    words = said.casefold()
    return next((d for d in DIALECTS if any(word in words for word in d.words)), BY_NAME["generic"])


def find_port(baud: int, devices: Path = Path("/dev"), patterns: Sequence[str] = _PATTERNS) -> AtPort:
    """Return the first serial port that answers AT; raises InstrumentError where none does."""
    tried: list[str] = []
    for pattern in patterns:
        for path in sorted(devices.glob(pattern)):
            port = AtPort(str(path), baud)
            try:
                detect(port)
            except InstrumentError:
                tried.append(path.name)
                port.close()
                continue
            return port
    raise InstrumentError(f"no AT modem on {', '.join(tried) or 'any serial port'}")


class AtSource:
    """A modem behind a serial port. It may come later, go and come back."""

    def __init__(
        self,
        device: str | None = None,
        *,
        baud: int = 115_200,
        dialect: str | None = None,
        sinr_scale: float | None = None,
        gnb_id_bits: int = 24,
    ) -> None:
        self._device, self._baud = device, baud
        self._wanted, self._scale, self._bits = dialect, sinr_scale, gnb_id_bits
        self._port: AtPort | None = None
        self._parse: Callable[[str], Reading] | None = None
        self._commands: tuple[str, ...] = ()
        self._generic, self._turn = Reading([]), 0
        self._network: Network | None = None
        self.dialect: Dialect | None = None

    def _ready(self) -> AtPort:
        if self._port is None or self._parse is None:
            port = AtPort(self._device, self._baud) if self._device else find_port(self._baud)
            self.dialect = dialect = BY_NAME[self._wanted] if self._wanted else detect(port)
            self._parse = dialect.parser(self._scale, self._bits)
            self._commands = dialect.commands
            for command in generic.SETUP:
                port.ask(command)
            self._port, self._turn = port, 0
        return self._port

    def sample(self) -> list[RadioSample]:
        """Return the cells of this moment."""
        try:
            port = self._ready()
            own = self._asked(port)
            if self._turn % GENERIC_EVERY == 0 or not own.samples:
                self._generic = generic.parse("\n".join(port.ask(c) for c in generic.COMMANDS), self._bits)
            self._turn += 1
        except InstrumentError:
            self.close()
            raise
        self._network = _merged(own.network, self._generic.network)
        return own.samples or self._generic.samples

    def _asked(self, port: AtPort) -> Reading:
        assert self._parse is not None
        return self._parse("\n".join(port.ask(command) for command in self._commands))

    def network(self) -> Network | None:
        """Return operator, PLMN, roaming and technology as last seen."""
        return self._network

    def close(self) -> None:
        """Give the port back."""
        if self._port is not None:
            self._port.close()
        self._port = self._parse = None


def _merged(own: Network | None, general: Network | None) -> Network | None:
    """Fill what the dialect left open from the generic answers."""
    if own is None or general is None:
        return own or general
    names = own.__struct_fields__
    return Network(**{n: v if (v := getattr(own, n)) is not None else getattr(general, n) for n in names})
