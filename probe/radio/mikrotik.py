"""RouterOS `/interface lte monitor once`: names and values with units, one a line; carriers after `ca-band`."""

from __future__ import annotations

import re
from typing import Any

from measurement.record import Network, RadioSample
from measurement.vocabulary import Leg, Technology
from probe.radio.reading import Reading, is_telling, number, sample

_UNIT = re.compile(r"^(-?[0-9.]+)\s*(?:dBm|dB)?$")
_CARRIER = re.compile(r"([Bn])(\d+)@(\d+)M[Hh]z(?:\s+earfcn:\s*(\d+))?(?:\s+phy-cellid:\s*(\d+))?")
_CLASSES = (
    ("5G NSA", Technology.NR_NSA),
    ("5G SA", Technology.NR_SA),
    ("LTE", Technology.LTE),
    ("3G", Technology.UMTS),
)


def parse(text: str, gnb_id_bits: int = 24) -> Reading:
    """Read the answer: the serving cell, its NR leg, and the carriers beside them."""
    facts, carriers = _facts(text)
    level = {name: _level(facts.get(name)) for name in facts}
    anchor = next((c for c in carriers if c[0] == "B"), None)
    nr = next((c for c in carriers if c[0] == "n"), None)
    samples: list[RadioSample] = [
        sample(
            Leg.ANCHOR, cell_id=number(facts.get("current-cellid", "-")), pci=number(facts.get("phy-cellid", "-")),
            **_carrier(anchor), rsrp_dbm=level.get("rsrp"), rsrq_db=level.get("rsrq"), sinr_db=level.get("sinr"),
            rssi_dbm=level.get("rssi"), cqi=level.get("cqi"),
        ),
        sample(
            Leg.NR, gnb_id_bits=gnb_id_bits, **_carrier(nr), pci=number(nr[4] or "-") if nr else None,
            rsrp_dbm=level.get("nr-rsrp"), rsrq_db=level.get("nr-rsrq"), sinr_db=level.get("nr-sinr"),
        ),
    ]  # fmt: skip
    others = [c for c in carriers if c is not anchor and c is not nr]
    samples += [
        sample(Leg.NR if c[0] == "n" else Leg.ANCHOR, is_serving=False, pci=number(c[4] or "-"), **_carrier(c))
        for c in others
    ]
    name = facts.get("current-operator")
    word = facts.get("data-class", "")
    technology = next((kind for start, kind in _CLASSES if word.startswith(start)), None)
    known = [made for made in samples if is_telling(made)]
    return Reading(known, Network(operator=name or None, technology=technology) if name or technology else None)


def _facts(text: str) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    facts: dict[str, str] = {}
    carriers: list[tuple[str, ...]] = []
    for row in text.splitlines()[:1000]:
        carriers += _CARRIER.findall(row)
        name, colon, value = row.partition(":")
        if colon and "@" not in name:
            facts[name.strip()] = value.strip()
    return facts, carriers


def _level(text: str | None) -> float | None:
    match = _UNIT.match(text or "")
    return number(match.group(1)) if match else None


def _carrier(found: tuple[str, ...] | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {"band": number(found[1]), "bandwidth_mhz": number(found[2]), "arfcn": number(found[3] or "-")}
