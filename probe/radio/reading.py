"""What one look at the modem gave, and building samples of it: what is missing or impossible becomes absent."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple, get_args, get_type_hints

from msgspec import Meta

from measurement.radio import GNB_ID_BITS, enb_of, gnb_of
from measurement.record import Network, RadioSample
from measurement.rules import LEG_RANGES
from measurement.vocabulary import Leg, Technology

UNKNOWN = frozenset({"", "-", "--", "n/a", "unknown", "2147483647", "9223372036854775807", "-32768", "ffffffff"})
# Countries whose networks have three digits after the MCC; elsewhere an integer MNC is padded to two.
THREE_DIGIT_MNC = frozenset({"302", "310", "311", "312", "313", "314", "315", "316", "334", "338", "342", "344", "346"})


class Reading(NamedTuple):
    """Cells of one moment, and whose network it is."""

    samples: list[RadioSample]
    network: Network | None = None


@cache
def _limits(field: str, leg: Leg) -> tuple[float, float]:
    narrow = next((r for r in LEG_RANGES if r.field == field and r.leg is leg), None)
    if narrow is not None:
        return narrow.low, narrow.high
    hint = get_type_hints(RadioSample, include_extras=True)[field]
    meta = next((m for arg in get_args(hint) for m in getattr(arg, "__metadata__", ()) if isinstance(m, Meta)), Meta())
    low = meta.ge if meta.ge is not None else meta.gt
    high = meta.le if meta.le is not None else meta.lt
    return (float("-inf") if low is None else low), (float("inf") if high is None else high)


def number(text: object, base: int = 10) -> float | None:
    """Return what a modem printed as a number, None where it is absent or none."""
    word = str(text).strip().strip('"').lower()
    if word in UNKNOWN:
        return None
    try:
        value = float(int(word, base)) if base != 10 else float(word)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def scaled(value: float | None, factor: float) -> float | None:
    """Return a value in the record's unit, None stays None."""
    return None if value is None else value / factor


def sample(leg: Leg, *, is_serving: bool = True, gnb_id_bits: int = GNB_ID_BITS, **fields: float | None) -> RadioSample:
    """Build a sample; fields out of the range of their leg are left absent, the base station follows from the cell."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        low, high = _limits(name, leg)
        if low <= value <= high:
            kept[name] = value if name.endswith(("_dbm", "_db", "_mhz")) else int(value)
    cell = kept.get("cell_id")
    if cell is not None:
        kept["base_station_id"] = gnb_of(cell, gnb_id_bits) if leg is Leg.NR else enb_of(cell)
    return RadioSample(at_ms=0.0, leg=leg, is_serving=is_serving, **kept)


def is_telling(made: RadioSample) -> bool:
    """Say whether a sample holds anything at all."""
    return any(
        getattr(made, name) is not None for name in ("rsrp_dbm", "rsrq_db", "sinr_db", "rssi_dbm", "cell_id", "pci")
    )


def plmn(mcc: object, mnc: object) -> dict[str, str]:
    """Return `mcc` and `mnc` as strings of full length, nothing where either is absent or impossible."""
    country, code = str(mcc).strip().strip('"'), str(mnc).strip().strip('"')
    if not country.isdecimal() or not code.isdecimal() or len(country) > 3 or len(code) > 3:
        return {}
    country = country.zfill(3)
    return {"mcc": country, "mnc": code.zfill(3 if country in THREE_DIGIT_MNC else 2)}


def plmn_of(joined: object) -> dict[str, str]:
    """Return `mcc` and `mnc` of a joined or dashed PLMN such as 45204 or 250-02."""
    text = str(joined).strip().strip('"').replace("-", "").replace(" ", "")
    return plmn(text[:3], text[3:]) if text.isdecimal() and len(text) in (5, 6) else {}


def technology_of(samples: list[RadioSample], default: Technology | None = None) -> Technology | None:
    """Return what the serving legs amount to: both NSA, NR alone SA, the anchor alone LTE."""
    legs = {made.leg for made in samples if made.is_serving}
    if Leg.NR in legs:
        return Technology.NR_NSA if Leg.ANCHOR in legs else Technology.NR_SA
    return default or (Technology.LTE if Leg.ANCHOR in legs else None)
