"""The four operators of the simulated city and their carriers. Shares and powers are plausible, not measured."""

from __future__ import annotations

from typing import NamedTuple

SUBCARRIERS_PER_MHZ = {"lte": 60, "nr": 32.76}
"""Used subcarriers: LTE 1200 of 15 kHz in 20 MHz (3GPP TS 36.101), NR 3276 of 30 kHz in 100 MHz (TS 38.101-1)."""


class Carrier(NamedTuple):
    """One carrier. `element_dbm` is the power of one resource element with antenna gain and cable loss.

    `bandwidth_mhz` is the cell's own, `aggregate_mhz` what a phone gets with carrier aggregation; `downlink_share` of
    the time is downlink; `layers` the mean number of spatial layers; `element_khz` the width of a subcarrier.
    """

    technology: str
    frequency_ghz: float
    band: int
    arfcn: int
    bandwidth_mhz: float
    aggregate_mhz: float
    element_dbm: float
    element_khz: float
    downlink_share: float
    layers: float


class Operator(NamedTuple):
    """One operator. `user_share` of phones, `site_share` of 4G sites, `sa_share` of 5G phones that use 5G alone."""

    name: str
    mcc: str
    mnc: str
    user_share: float
    site_share: float
    sa_share: float
    lte: Carrier
    nr: Carrier | None


def _lte(band: int, frequency_ghz: float, arfcn: int, bandwidth_mhz: float, aggregate_mhz: float) -> Carrier:
    # 46 dBm over 1200 subcarriers is 15.2 dBm each; 17 dBi of antenna less 2 dB of cable; 9 dB stand for the low-band
    # carrier beside it, which the model leaves out and which reaches that much further indoors.
    return Carrier("lte", frequency_ghz, band, arfcn, bandwidth_mhz, aggregate_mhz, 39.2, 15, 1.0, 1.5)


def _nr(band: int, frequency_ghz: float, arfcn: int, bandwidth_mhz: float) -> Carrier:
    # 53 dBm over 3276 subcarriers is 17.8 dBm each; 24 dBi of a 64-element panel towards its SSB beam.
    return Carrier("nr", frequency_ghz, band, arfcn, bandwidth_mhz, bandwidth_mhz, 38.0, 30, 0.74, 2.4)


OPERATORS: tuple[Operator, ...] = (
    Operator("Viettel", "452", "04", 0.46, 0.36, 0.5, _lte(3, 1.83, 1449, 20, 40), _nr(41, 2.55, 510_000, 100)),
    Operator("VinaPhone", "452", "02", 0.25, 0.27, 0.25, _lte(3, 1.85, 1650, 20, 35), _nr(78, 3.75, 650_000, 100)),
    Operator("MobiFone", "452", "01", 0.22, 0.25, 0.15, _lte(3, 1.81, 1275, 20, 30), _nr(78, 3.84, 656_000, 80)),
    Operator("Vietnamobile", "452", "05", 0.07, 0.12, 0.0, _lte(1, 2.15, 400, 15, 15), None),
)
