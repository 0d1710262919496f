"""ModemManager through `mmcli -J`: modem, signal, cells. It works beside a data session and needs no serial port."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from measurement.errors import InstrumentError
from measurement.record import Network, RadioSample
from measurement.vocabulary import Leg, Technology
from probe.radio.reading import Reading, is_telling, number, plmn_of, sample

TIMEOUT_S = 4.0
_ACCESS = (("5gnr", Technology.NR_SA), ("lte", Technology.LTE), ("umts", Technology.UMTS), ("hspa", Technology.UMTS),
           ("hsdpa", Technology.UMTS), ("hsupa", Technology.UMTS), ("gsm", Technology.GSM), ("gprs", Technology.GSM),
           ("edge", Technology.GSM))  # fmt: skip
_LEGS = {"lte": Leg.ANCHOR, "5g": Leg.NR, "5gnr": Leg.NR}

_log = logging.getLogger("haidang.radio")

Run = Callable[[Sequence[str]], str]


def mmcli(arguments: Sequence[str]) -> str:
    """Run mmcli; raises InstrumentError where it is missing, fails or hangs."""
    try:
        done = subprocess.run(["mmcli", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise InstrumentError("mmcli is missing; install modemmanager") from None
    except subprocess.TimeoutExpired:
        raise InstrumentError(f"mmcli does not answer within {TIMEOUT_S:g} s") from None
    if done.returncode != 0:
        raise InstrumentError(f"mmcli: {done.stderr.strip()[:200] or 'failed'}")
    return done.stdout


class ModemManagerSource:
    """One modem of ModemManager, `any` for the first."""

    def __init__(self, modem: str = "any", *, gnb_id_bits: int = 24, run: Run = mmcli) -> None:
        self._modem, self._gnb_id_bits, self._run = modem, gnb_id_bits, run
        self._network: Network | None = None
        self._is_set_up = False

    def _ask(self, option: str | None = None, *, is_json: bool = True) -> str:
        return self._run([*(["-J"] if is_json else []), "-m", self._modem, *([option] if option else [])])

    def sample(self) -> list[RadioSample]:
        """Return the cells; where the modem cannot list them, the signal of each leg."""
        self._network = network_of(self._ask()) or self._network
        if not self._is_set_up:
            self._set_up()
        signal = signal_of(self._ask("--signal-get"))
        try:
            cells = cells_of(self._ask("--get-cell-info"), self._gnb_id_bits).samples
        except InstrumentError:  # ModemManager before 1.20, or a modem that cannot
            cells = []
        return joined(cells, signal)

    def _set_up(self) -> None:
        """Ask for fresh signal values each second; without the right to, those of ModemManager's own pace remain."""
        try:
            self._ask("--signal-setup=1", is_json=False)
        except InstrumentError as error:
            _log.warning("signal values may be old: %s", error)
        self._is_set_up = True

    def network(self) -> Network | None:
        """Return operator, PLMN, roaming and technology as last seen."""
        return self._network

    def close(self) -> None:
        """Do nothing: ModemManager keeps the modem."""


def _object(text: str) -> dict[str, Any]:
    try:
        raw = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        raise InstrumentError("mmcli: no JSON; a version of 1.10 or newer is needed") from None
    modem = raw.get("modem") if isinstance(raw, dict) else None
    return modem if isinstance(modem, dict) else {}


def _part(raw: Any, *names: str) -> Any:
    for name in names:
        raw = raw.get(name) if isinstance(raw, dict) else None
    return raw


def network_of(text: str) -> Network | None:
    """Read `mmcli -J -m N`: the network it is registered on."""
    modem = _object(text)
    listed = _part(modem, "generic", "access-technologies")
    access = {str(word).lower() for word in listed} if isinstance(listed, list) else set()
    found: dict[str, Any] = plmn_of(_part(modem, "3gpp", "operator-code") or "")
    name = _part(modem, "3gpp", "operator-name")
    if isinstance(name, str) and name.strip("- "):
        found["operator"] = name[:200]
    state = _part(modem, "3gpp", "registration-state")
    if state in ("home", "roaming"):
        found["is_roaming"] = state == "roaming"
    technology = next((kind for word, kind in _ACCESS if any(one.startswith(word) for one in access)), None)
    if {"lte", "5gnr"} <= access:
        technology = Technology.NR_NSA
    if technology is not None:
        found["technology"] = technology
    return Network(**found) if found else None


def signal_of(text: str) -> list[RadioSample]:
    """Read `mmcli -J -m N --signal-get`: one sample for each leg that has a level."""
    signal = _part(_object(text), "signal")
    made = [
        sample(
            leg, rsrp_dbm=number(_part(signal, word, "rsrp")), rsrq_db=number(_part(signal, word, "rsrq")),
            sinr_db=number(_part(signal, word, "snr")), rssi_dbm=number(_part(signal, word, "rssi")),
        )
        for word, leg in (("lte", Leg.ANCHOR), ("5g", Leg.NR))
    ]  # fmt: skip
    return [one for one in made if is_telling(one)]


def cells_of(text: str, gnb_id_bits: int = 24) -> Reading:
    """Read `--get-cell-info`, as JSON or as the table for people."""
    samples: list[RadioSample] = []
    network: dict[str, Any] = {}
    for facts in _cells(text):
        leg = _LEGS.get(facts.get("cell type", ""))
        if leg is None:
            continue
        serving = facts.get("serving") == "yes"
        made = sample(
            leg, is_serving=serving, gnb_id_bits=gnb_id_bits,
            cell_id=number(facts.get("ci", "-"), 16), tac=number(facts.get("tac", "-"), 16),
            pci=number(facts.get("physical ci", "-")), arfcn=number(facts.get("earfcn", facts.get("nrarfcn", "-"))),
            rsrp_dbm=number(facts.get("rsrp", "-")), rsrq_db=number(facts.get("rsrq", "-")),
            sinr_db=number(facts.get("sinr", "-")), timing_advance=number(facts.get("timing advance", "-")),
        )  # fmt: skip
        samples.append(made)
        if serving:
            network.update(plmn_of(facts.get("operator id", "")))
            network["technology"] = Technology.NR_SA if leg is Leg.NR else Technology.LTE
    unique = list(dict.fromkeys(samples))  # some firmware lists a neighbour three times
    return Reading(unique, Network(**network) if network else None)


def _cells(text: str) -> Iterator[dict[str, str]]:
    listed: list[Any]
    if text.lstrip().startswith("{"):
        found = _part(_object(text), "cell-info")
        listed = found if isinstance(found, list) else []
    else:
        listed = [row.partition("|")[2] for row in text.splitlines() if "cell type:" in row]
    for row in listed[:256]:
        pairs = (part.partition(":") for part in str(row).split(","))
        yield {name.strip(): value.strip() for name, _, value in pairs}


def joined(cells: list[RadioSample], signal: list[RadioSample]) -> list[RadioSample]:
    """Give the serving cell of each leg what only the signal tells (SINR, RSSI, finer levels)."""
    levels = {one.leg: one for one in signal}
    result: list[RadioSample] = []
    for cell in cells:
        level = levels.pop(cell.leg, None) if cell.is_serving else None
        names = ("rsrp_dbm", "rsrq_db", "sinr_db", "rssi_dbm")
        finer = {n: getattr(level, n) for n in names if level is not None and getattr(level, n) is not None}
        result.append(msgspec.structs.replace(cell, **finer) if finer else cell)
    return [*result, *levels.values()]
