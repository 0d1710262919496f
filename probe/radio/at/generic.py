"""Any 3GPP modem: AT+CESQ, AT+COPS?, AT+CEREG?, AT+C5GREG? (TS 27.007). Used by itself, and beside every dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from measurement.record import Network, RadioSample
from measurement.vocabulary import Leg, Technology
from probe.radio.at.replies import lines
from probe.radio.reading import Reading, is_telling, number, plmn_of, sample, technology_of

COMMANDS = ("AT+CESQ", "AT+COPS?", "AT+CEREG?", "AT+C5GREG?")
# Set once: cell identities in registrations, operators as numbers.
SETUP = ("AT+CEREG=2", "AT+C5GREG=2", "AT+COPS=3,2")
_ACCESS = {
    **dict.fromkeys((0, 1, 3, 8), Technology.GSM),
    **dict.fromkeys((2, 4, 5, 6), Technology.UMTS),
    **dict.fromkeys((7, 9), Technology.LTE),
    **dict.fromkeys((11, 12), Technology.NR_SA),
    13: Technology.NR_NSA,
}
_HOME, _ROAMING = 1, 5


def parse(text: str, gnb_id_bits: int = 24) -> Reading:
    """Read the replies to COMMANDS."""
    network: dict[str, object] = {}
    levels: dict[Leg, dict[str, float | None]] = {}
    cells: dict[Leg, dict[str, float | None]] = {}
    for line in lines(text):
        if line.name == "CESQ":
            levels = _levels(line.fields)
        elif line.name == "COPS" and len(line.fields) >= 3:
            network.update(plmn_of(line.fields[2]))
            _access(line.fields[3] if len(line.fields) > 3 else "-", network)
        elif line.name in ("CEREG", "C5GREG"):
            leg = Leg.ANCHOR if line.name == "CEREG" else Leg.NR
            cell = _registration(line.fields, network)
            if cell is not None:
                cells[leg] = cell
    samples: list[RadioSample] = []
    for leg in Leg:
        merged: dict[str, Any] = {**levels.get(leg, {}), **cells.get(leg, {})}
        made = sample(leg, gnb_id_bits=gnb_id_bits, **merged)
        samples += [made] if is_telling(made) else []
    if "technology" not in network and (technology := technology_of(samples)) is not None:
        network["technology"] = technology
    return Reading(samples, Network(**network) if network else None)  # type: ignore[arg-type]


def _levels(v: Sequence[str]) -> dict[Leg, dict[str, float | None]]:
    """Return levels by leg: an index n means [n + low, …), 255 (99) unknown; we give the lower end."""

    def at(place: int, low: float, step: float = 1.0) -> float | None:
        index = number(v[place]) if place < len(v) else None
        return None if index is None or index >= 255 else low + step * index

    return {
        Leg.ANCHOR: {"rsrq_db": at(4, -20.0, 0.5), "rsrp_dbm": at(5, -141.0)},
        Leg.NR: {"rsrq_db": at(6, -43.5, 0.5), "rsrp_dbm": at(7, -157.0), "sinr_db": at(8, -23.5, 0.5)},
    }


def _registration(v: Sequence[str], network: dict[str, object]) -> dict[str, float | None] | None:
    """Read `n, state, tac, cell, access`; an unsolicited line has no n, then a quoted TAC comes second."""
    if len(v) < 2:
        return None
    states = v[1:] if (number(v[0]) or 0) <= 5 and number(v[1]) is not None and len(v) not in (3, 4) else v
    state = number(states[0])
    if state not in (_HOME, _ROAMING):
        return None
    network["is_roaming"] = state == _ROAMING
    if len(states) < 4:
        return None
    _access(states[3], network)
    return {"tac": number(states[1], 16), "cell_id": number(states[2], 16)}


def _access(text: str, network: dict[str, object]) -> None:
    code = number(text)
    if code is not None and int(code) in _ACCESS:
        network["technology"] = _ACCESS[int(code)]
