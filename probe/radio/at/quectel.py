"""Quectel: AT+QENG="servingcell", AT+QCAINFO, AT+QRSRP.

Firmware differs: NSA prints pci, rsrp, sinr, rsrq, or pci, arfcn, band, rsrp, rsrq, sinr; SINR comes in dB or in
tenths, by leg (180 where qmicli says 18.5 dB); a space or none after a colon; a line end left out between two +QCAINFO.
NSA never tells the NR cell id: the anchor's identity holds. The SNR of NR in QCAINFO is in hundredths of a dB.
"""

from __future__ import annotations

from collections.abc import Sequence

from measurement.record import Network, RadioSample
from measurement.vocabulary import Leg, Technology
from probe.radio.at.replies import Line, lines
from probe.radio.reading import Reading, is_telling, number, plmn, sample, scaled, technology_of

COMMANDS = ('AT+QENG="servingcell"', "AT+QCAINFO", "AT+QRSRP")
LTE_MHZ = (1.4, 3.0, 5.0, 10.0, 15.0, 20.0)
NR_MHZ = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 200.0, 400.0)
_BLOCKS_MHZ = {6: 1.4, 15: 3.0, 25: 5.0, 50: 10.0, 75: 15.0, 100: 20.0}  # resource blocks of an LTE carrier
_RATS = ("LTE", "NR5G-NSA", "NR5G-SA", "WCDMA", "GSM")
_OLDER = {"WCDMA": Technology.UMTS, "GSM": Technology.GSM}


class SinrScale:
    """Whether this firmware prints SINR in tenths: set by the user, or learnt by leg from a first value over 40 dB."""

    def __init__(self, factor: float | None = None) -> None:
        self._factors = dict.fromkeys(Leg, factor or 1.0)
        self._is_fixed = factor is not None

    def read(self, leg: Leg, value: float | None) -> float | None:
        """Return the value in dB."""
        if value is not None and not self._is_fixed and abs(value) > 40:
            self._factors[leg] = 10.0
        return scaled(value, self._factors[leg])


def parse(text: str, scale: SinrScale | None = None, gnb_id_bits: int = 24) -> Reading:
    """Read the replies to COMMANDS, in any order, with anything between them."""
    scale = scale or SinrScale()
    found = list(lines(text))
    samples: list[RadioSample] = []
    network: dict[str, object] = {}
    for line in found:
        if line.name == "QENG":
            _serving(line, samples, network, scale, gnb_id_bits)
    for line in found:
        if line.name == "QCAINFO":
            _carrier(line, samples)
    samples = [made for made in samples if is_telling(made)]
    if "technology" not in network and (technology := technology_of(samples)) is not None:
        network["technology"] = technology
    for line in found:
        if line.name == "QRSRP":
            _antennas(line, samples)
    return Reading(samples, Network(**network) if network else None)  # type: ignore[arg-type]


def _serving(
    line: Line, samples: list[RadioSample], network: dict[str, object], scale: SinrScale, gnb_id_bits: int
) -> None:
    at = next((index for index, word in enumerate(line.fields) if word in _RATS), None)
    if at is None:
        return
    rat, values = line.fields[at], line.fields[at + 1 :]
    if rat == "LTE" and len(values) >= 14:
        network.update(plmn(values[1], values[2]))
        samples.append(_lte(values, scale))
    elif rat == "NR5G-SA" and len(values) >= 12:
        network.update(plmn(values[1], values[2]))
        samples.append(_sa(values, scale, gnb_id_bits))
    elif rat == "NR5G-NSA" and len(values) >= 6:
        network.update(plmn(values[0], values[1]))
        samples.append(_nsa(values, scale))
    elif rat in _OLDER and len(values) >= 2:
        network.update(plmn(values[0], values[1]))
        network["technology"] = _OLDER[rat]


def _lte(v: Sequence[str], scale: SinrScale) -> RadioSample:
    # duplex, mcc, mnc, cell (hex), pci, earfcn, band, uplink and downlink bandwidth, tac (hex), rsrp, rsrq, rssi, …
    return sample(
        Leg.ANCHOR,
        cell_id=number(v[3], 16), pci=number(v[4]), arfcn=number(v[5]), band=number(v[6]),
        bandwidth_mhz=_indexed(LTE_MHZ, v[8]), tac=number(v[9], 16),
        rsrp_dbm=number(v[10]), rsrq_db=number(v[11]), rssi_dbm=number(v[12]),
        sinr_db=scale.read(Leg.ANCHOR, number(v[13])),
        cqi=number(v[14]) if len(v) > 14 else None,
    )  # fmt: skip


def _sa(v: Sequence[str], scale: SinrScale, gnb_id_bits: int) -> RadioSample:
    # duplex, mcc, mnc, cell (hex), pci, tac (hex), arfcn, band, bandwidth, rsrp, rsrq, sinr, …
    return sample(
        Leg.NR, gnb_id_bits=gnb_id_bits,
        cell_id=number(v[3], 16), pci=number(v[4]), tac=number(v[5], 16), arfcn=number(v[6]), band=number(v[7]),
        bandwidth_mhz=_indexed(NR_MHZ, v[8]),
        rsrp_dbm=number(v[9]), rsrq_db=number(v[10]), sinr_db=scale.read(Leg.NR, number(v[11])),
    )  # fmt: skip


def _nsa(v: Sequence[str], scale: SinrScale) -> RadioSample:
    fourth = number(v[3])
    if fourth is not None and fourth > 0 and len(v) >= 8:
        # mcc, mnc, pci, arfcn, band, rsrp, rsrq, sinr
        return sample(
            Leg.NR, pci=number(v[2]), arfcn=fourth, band=number(v[4]),
            rsrp_dbm=number(v[5]), rsrq_db=number(v[6]), sinr_db=scale.read(Leg.NR, number(v[7])),
        )  # fmt: skip
    # mcc, mnc, pci, rsrp, sinr, rsrq, and on newer firmware arfcn, band, bandwidth, subcarrier spacing
    more = [*v[6:], "-", "-", "-"]
    return sample(
        Leg.NR, pci=number(v[2]), rsrp_dbm=fourth, sinr_db=scale.read(Leg.NR, number(v[4])), rsrq_db=number(v[5]),
        arfcn=number(more[0]), band=number(more[1]), bandwidth_mhz=_indexed(NR_MHZ, more[2]),
    )  # fmt: skip


def _indexed(table: Sequence[float], text: str) -> float | None:
    index = number(text)
    return table[int(index)] if index is not None and index == int(index) and 0 <= index < len(table) else None


def _carrier(line: Line, samples: list[RadioSample]) -> None:
    """Add a carrier of the aggregation that is not known yet; a secondary one is not the serving cell."""
    v = [*line.fields, *("-",) * 12]
    is_primary, is_nr = v[0] == "PCC", v[3].startswith("NR5G")
    band = number(v[3].rpartition(" ")[2])
    if is_nr:
        pci = number(v[4] if is_primary else v[5])
        rsrp, rsrq, snr = (v[5], v[6], v[7]) if is_primary else (v[9], v[10], v[11])
        made = sample(
            Leg.NR, is_serving=is_primary, arfcn=number(v[1]), band=band, bandwidth_mhz=_indexed(NR_MHZ, v[2]), pci=pci,
            rsrp_dbm=number(rsrp), rsrq_db=number(rsrq), sinr_db=scaled(number(snr), 100),
        )  # fmt: skip
    else:
        made = sample(
            Leg.ANCHOR, is_serving=is_primary, arfcn=number(v[1]), band=band,
            bandwidth_mhz=_BLOCKS_MHZ.get(int(number(v[2]) or 0)), pci=number(v[5]),
            rsrp_dbm=number(v[6]), rsrq_db=number(v[7]), rssi_dbm=number(v[8]), sinr_db=number(v[9]),
        )  # fmt: skip
    if not any((made.leg, made.arfcn) == (known.leg, known.arfcn) for known in samples):
        samples.append(made)


def _antennas(line: Line, samples: list[RadioSample]) -> None:
    """Take the strongest antenna where nothing else told the level of that leg."""
    leg = Leg.NR if line.fields[-1].startswith("NR5G") else Leg.ANCHOR
    if any(made.leg is leg and made.is_serving for made in samples):
        return
    levels = [level for word in line.fields[:-1] if (level := number(word)) is not None and level > -140]
    if levels:
        samples.append(sample(leg, rsrp_dbm=max(levels)))
