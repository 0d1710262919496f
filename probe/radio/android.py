"""Android's cells: CellInfo's text (adb shell dumpsys telephony.registry, radio log), termux-telephony-cellinfo.

2147483647 is unknown. Termux gives MNC as a number: its leading zero comes back by the country. On NSA Android names no
NR cell id, and the NR cell is not "registered": a signal on a secondary connection still counts as serving.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from measurement.record import Network, RadioSample
from measurement.vocabulary import Leg, Technology
from probe.radio.reading import Reading, is_telling, number, plmn, sample

_CELL = re.compile(
    r"CellInfo(Lte|Nr|Wcdma|Gsm):\s*\{(.*?)(?=CellInfo(?:Lte|Nr|Wcdma|Gsm|Cdma|Tdscdma):|\]\s*$|\Z)", re.DOTALL
)
_FACT = re.compile(r"\b([A-Za-z]+)\s*=\s*\[?\s*([-A-Za-z0-9]+)")
_LEGS = {"Lte": Leg.ANCHOR, "Nr": Leg.NR}
_OLDER = {"Wcdma": Technology.UMTS, "Gsm": Technology.GSM}
_LIMIT = 262_144

# Field of the sample → names in CellInfo's text, and in Termux's JSON, first found first taken.
_TEXT: dict[str, tuple[str, ...]] = {
    "cell_id": ("mCi", "mNci"), "pci": ("mPci",), "tac": ("mTac",), "arfcn": ("mEarfcn", "mNrArfcn"),
    "band": ("mBands",), "rsrp_dbm": ("rsrp", "ssRsrp"), "rsrq_db": ("rsrq", "ssRsrq"),
    "sinr_db": ("rssnr", "ssSinr"), "rssi_dbm": ("rssi",), "cqi": ("cqi",), "timing_advance": ("ta",),
}  # fmt: skip
_JSON: dict[str, tuple[str, ...]] = {
    "cell_id": ("ci", "nci"), "pci": ("pci",), "tac": ("tac",), "arfcn": ("earfcn", "nrarfcn"),
    "rsrp_dbm": ("rsrp", "ss_rsrp"), "rsrq_db": ("rsrq", "ss_rsrq"), "sinr_db": ("rssnr", "ss_sinr"),
    "rssi_dbm": ("rssi",), "cqi": ("cqi",), "timing_advance": ("timing_advance",),
}  # fmt: skip


def parse(text: str, gnb_id_bits: int = 24) -> Reading:
    """Read CellInfo's text."""
    cells = []
    for kind, body in _CELL.findall(text[:_LIMIT]):
        facts: dict[str, Any] = {}
        for name, value in _FACT.findall(body):
            facts.setdefault(name, value)
        connected = facts.get("mCellConnectionStatus") in ("1", "2")
        cells.append((kind, facts.get("mRegistered") in ("YES", "true") or connected, facts))
    return _reading(cells, _TEXT, ("mMcc", "mMnc"), gnb_id_bits)


def parse_termux(text: str, gnb_id_bits: int = 24) -> Reading:
    """Read the JSON list of termux-telephony-cellinfo; anything else is an empty reading."""
    try:
        listed = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return Reading([])
    facts = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    cells = [(str(one.get("type", "")).capitalize(), one.get("registered") is True, one) for one in facts[:64]]
    return _reading(cells, _JSON, ("mcc", "mnc"), gnb_id_bits)


def _reading(
    cells: list[tuple[str, bool, dict[str, Any]]],
    names: dict[str, tuple[str, ...]],
    identity: tuple[str, str],
    gnb_id_bits: int,
) -> Reading:
    samples: list[RadioSample] = []
    network: dict[str, Any] = {}
    for kind, registered, facts in cells:
        if registered and kind in _OLDER:
            network.setdefault("technology", _OLDER[kind])
        if registered:
            network.update(
                {k: v for k, v in plmn(facts.get(identity[0]), facts.get(identity[1])).items() if k not in network}
            )
        leg = _LEGS.get(kind)
        if leg is None:
            continue
        values: dict[str, Any] = {field: _first(facts, options) for field, options in names.items()}
        if leg is Leg.ANCHOR and (value := values.get("sinr_db")) is not None and abs(value) > 40:
            values["sinr_db"] = value / 10  # before Android 11 RSSNR came in tenths
        made = sample(leg, is_serving=registered, gnb_id_bits=gnb_id_bits, **values)
        samples += [made] if is_telling(made) else []
    legs = {made.leg for made in samples if made.is_serving}
    if legs:
        both = legs == set(Leg)
        network["technology"] = Technology.NR_NSA if both else Technology.NR_SA if Leg.NR in legs else Technology.LTE
    return Reading(samples, Network(**network) if network else None)


def _first(facts: dict[str, Any], names: tuple[str, ...]) -> float | None:
    return next((value for name in names if (value := number(facts.get(name, "-"))) is not None), None)
