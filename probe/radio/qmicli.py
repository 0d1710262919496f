"""`qmicli --nas-get-signal-info`: levels of both legs of a Qualcomm modem, in dB whatever the AT firmware prints."""

from __future__ import annotations

import re

from measurement.record import Network, RadioSample
from measurement.vocabulary import Leg
from probe.radio.reading import Reading, is_telling, number, sample, technology_of

_LEGS = {"LTE": Leg.ANCHOR, "5G": Leg.NR}
_FIELDS = {"RSRP": "rsrp_dbm", "RSRQ": "rsrq_db", "SNR": "sinr_db", "RSSI": "rssi_dbm"}
_HEAD = re.compile(r"^(LTE|5G|WCDMA|GSM|TD-SCDMA|CDMA|HDR):\s*$")
_VALUE = re.compile(r"^\s+(RSRP|RSRQ|SNR|RSSI):\s*'?(-?[0-9.]+)\s*dBm?'?\s*$")


def parse(text: str) -> Reading:
    """Read the answer; radio systems other than LTE and 5G are passed over."""
    levels: dict[Leg, dict[str, float | None]] = {}
    leg: Leg | None = None
    for row in text.splitlines()[:1000]:
        if head := _HEAD.match(row):
            leg = _LEGS.get(head.group(1))
        elif leg is not None and (value := _VALUE.match(row)):
            levels.setdefault(leg, {})[_FIELDS[value.group(1)]] = number(value.group(2))
    samples: list[RadioSample] = [
        sample(one, is_serving=True, gnb_id_bits=24, **found) for one, found in levels.items()
    ]
    samples = [made for made in samples if is_telling(made)]
    technology = technology_of(samples)
    return Reading(samples, Network(technology=technology) if technology else None)
