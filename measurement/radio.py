"""Radio identity: whose cell, which base station; and the summary of a test's radio samples by leg."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

from measurement.record import RadioSample
from measurement.vocabulary import Leg, Technology


class Plmn(NamedTuple):
    """One public land mobile network. `evidence`: V seen in a primary text, S second-hand, R recalled."""

    mcc: str
    mnc: str
    operator: str
    country: str
    evidence: str
    source: str


PLMNS = (
    Plmn("452", "01", "MobiFone", "VN", "S", "AT+COPS scan in Vietnam"),
    Plmn("452", "02", "VinaPhone", "VN", "S", "AT+COPS scan in Vietnam"),
    Plmn("452", "04", "Viettel", "VN", "S", "AT+COPS scan in Vietnam"),
    Plmn("452", "05", "Vietnamobile", "VN", "S", "AT+COPS scan in Vietnam"),
    Plmn("452", "07", "Gmobile", "VN", "R", "recalled; not seen in a primary text"),
    Plmn("452", "08", "iTel", "VN", "R", "recalled; not seen in a primary text"),
    Plmn("608", "01", "Orange", "SN", "S", "G-NetTrack logs of Dakar"),
    Plmn("608", "02", "Yas", "SN", "S", "G-NetTrack logs of Dakar"),
    Plmn("608", "03", "Expresso", "SN", "S", "G-NetTrack logs of Dakar"),
)
_OPERATORS = {(plmn.mcc, plmn.mnc): plmn.operator for plmn in PLMNS}

GNB_ID_BITS = 24
"""Default length of a gNB id within an NCI; each operator sets its own, 22 to 32 (3GPP TS 38.413 9.3.1.6)."""


def operator_of(mcc: str | None, mnc: str | None) -> str | None:
    """Return the name of the operator of a PLMN, or None where it is not in the table."""
    return None if mcc is None or mnc is None else _OPERATORS.get((mcc, mnc))


def enb_of(eci: int) -> int:
    """Return the eNB of an E-UTRAN cell identity (3GPP TS 23.003 19.6).

    Examples
    --------
    >>> enb_of(500 * 256 + 3)
    500
    """
    return eci >> 8


def gnb_of(nci: int, gnb_id_bits: int = GNB_ID_BITS) -> int:
    """Return the gNB of an NR cell identity, for an operator's length of the gNB id.

    Examples
    --------
    >>> gnb_of(77 << 12 | 5)
    77
    """
    if not 22 <= gnb_id_bits <= 32:
        raise ValueError(f"Invalid gnb_id_bits {gnb_id_bits}. 22 to 32.")
    return nci >> 36 - gnb_id_bits


class LegSummary(NamedTuple):
    """Serving cell of one leg over a test: the last identity seen, medians of the levels."""

    cell_id: int | None
    base_station_id: int | None
    pci: int | None
    tac: int | None
    arfcn: int | None
    band: int | None
    rsrp_dbm: float | None
    rsrq_db: float | None
    sinr_db: float | None


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _last(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return known[-1] if known else None


def summarise(samples: Iterable[RadioSample], leg: Leg) -> LegSummary:
    """Summarise the serving samples of one leg."""
    serving = [sample for sample in samples if sample.is_serving and sample.leg is leg]
    return LegSummary(
        *(_last(getattr(s, name) for s in serving) for name in LegSummary._fields[:6]),
        *(_middle(getattr(s, name) for s in serving) for name in LegSummary._fields[6:]),
    )


def rated_leg(technology: Technology | None) -> Leg:
    """Return the leg whose radio is rated for a technology: NR on 5G, the anchor elsewhere."""
    return Leg.NR if technology in (Technology.NR_SA, Technology.NR_NSA) else Leg.ANCHOR
