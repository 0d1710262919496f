"""SIMCom: AT+CPSI?. Levels come in tenths of a dB on most firmware, else in whole dB; the size of RSRP tells."""

from __future__ import annotations

from measurement.record import Network, RadioSample
from measurement.vocabulary import Leg, Technology
from probe.radio.at.replies import Line, lines
from probe.radio.reading import Reading, is_telling, number, plmn_of, sample, scaled, technology_of

COMMANDS = ("AT+CPSI?",)
LTE_MHZ = {"0": 1.4, "1": 3.0, "2": 5.0, "3": 10.0, "4": 15.0, "5": 20.0}
_OLDER = {"WCDMA": Technology.UMTS, "GSM": Technology.GSM}


def parse(text: str, gnb_id_bits: int = 24) -> Reading:
    """Read the replies to COMMANDS."""
    samples: list[RadioSample] = []
    network: dict[str, object] = {}
    for line in lines(text):
        if line.name == "CPSI" and line.fields:
            _cell(line, samples, network, gnb_id_bits)
    samples = [made for made in samples if is_telling(made)]
    if "technology" not in network and (technology := technology_of(samples)) is not None:
        network["technology"] = technology
    return Reading(samples, Network(**network) if network else None)  # type: ignore[arg-type]


def _cell(line: Line, samples: list[RadioSample], network: dict[str, object], gnb_id_bits: int) -> None:
    mode, v = line.fields[0], line.fields
    if mode == "LTE" and len(v) >= 14:
        # mode, state, mcc-mnc, tac, cell, pci, band, earfcn, dl bandwidth, ul bandwidth, rsrq, rsrp, rssi, snr
        network.update(plmn_of(v[2]))
        factor = _factor(v[11])
        samples.append(
            sample(
                Leg.ANCHOR, tac=number(v[3], 16), cell_id=number(v[4]), pci=number(v[5]), band=_band(v[6]),
                arfcn=number(v[7]), bandwidth_mhz=LTE_MHZ.get(v[8]),
                rsrq_db=scaled(number(v[10]), factor), rsrp_dbm=scaled(number(v[11]), factor),
                rssi_dbm=scaled(number(v[12]), factor), sinr_db=number(v[13]),
            )
        )  # fmt: skip
    elif mode == "NR5G_SA" and len(v) >= 11:
        # mode, state, mcc-mnc, tac, cell, pci, band, arfcn, rsrp, rsrq, snr
        network.update(plmn_of(v[2]))
        factor = _factor(v[8])
        samples.append(
            sample(
                Leg.NR, gnb_id_bits=gnb_id_bits, tac=number(v[3], 16), cell_id=number(v[4]), pci=number(v[5]),
                band=_band(v[6]), arfcn=number(v[7]), rsrp_dbm=scaled(number(v[8]), factor),
                rsrq_db=scaled(number(v[9]), factor), sinr_db=_snr(v[10], factor),
            )
        )  # fmt: skip
    elif mode == "NR5G_NSA" and len(v) >= 7:
        # mode, pci, band, arfcn, rsrp, rsrq, snr
        factor = _factor(v[4])
        samples.append(
            sample(
                Leg.NR, pci=number(v[1]), band=_band(v[2]), arfcn=number(v[3]), rsrp_dbm=scaled(number(v[4]), factor),
                rsrq_db=scaled(number(v[5]), factor), sinr_db=_snr(v[6], factor),
            )
        )  # fmt: skip
    elif mode in _OLDER and len(v) >= 3:
        network.update(plmn_of(v[2]))
        network["technology"] = _OLDER[mode]


def _factor(rsrp: str) -> float:
    """Return 10 where RSRP is too low to be whole dB (-889 is -88.9 dBm)."""
    level = number(rsrp)
    return 10.0 if level is not None and level < -156 else 1.0


def _snr(text: str, factor: float) -> float | None:
    value = number(text)
    return scaled(value, factor) if value is not None and abs(value) > 40 else value


def _band(text: str) -> float | None:
    digits = "".join(letter for letter in text.upper().rpartition("BAND")[2] if letter.isdecimal())
    return number(digits)
