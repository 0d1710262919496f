"""What service a radio link gives: rates by truncated Shannon and load, latency, jitter, loss, failures.

The constants are chosen so that medians come near what is published for Vietnam (4G about 45, 5G about 300 Mbit/s);
they are not measurements. Every function is vectorised over tests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

LTE, NSA, SA = range(3)
TECHNOLOGIES = ("lte", "nr_nsa", "nr_sa")


class Air(NamedTuple):
    """What a technology's air interface gives, in bits and milliseconds.

    `alpha` and `ceiling` truncate Shannon's bound per layer (3GPP TR 36.942 A.1); `idle_ms` is the round trip to a
    domestic server of an unloaded cell; `buffer_ms` what a loaded queue adds; `uplink_share` of time and band.
    """

    alpha: float
    ceiling: float
    idle_ms: float
    buffer_ms: float
    uplink_share: float
    device_cap_bps: float


AIR = (
    Air(0.6, 4.4, 26.0, 95.0, 0.30, 0.30e9),
    Air(0.6, 5.6, 19.0, 60.0, 0.19, 1.4e9),
    Air(0.6, 5.6, 13.0, 45.0, 0.22, 1.4e9),
)


def _air(name: str, technology: Integers) -> Reals:
    return np.array([getattr(air, name) for air in AIR])[technology]


def sinr_db(rsrp_dbm: Reals, interference_mw: Reals, noise_mw: Reals, load: Reals) -> Reals:
    """Return SINR in dB where every other sector transmits `load` of the time.

    Examples
    --------
    >>> sinr_db(np.array([-90.0]), np.array([1e-10]), np.array([0.0]), np.array([1.0])).round(6).tolist()
    [10.0]
    """
    result: Reals = rsrp_dbm - 10 * np.log10(load * interference_mw + noise_mw)
    return result


def rsrq_db(rsrp_dbm: Reals, interference_mw: Reals, noise_mw: Reals, load: Reals) -> Reals:
    """Return RSRQ in dB: RSRP over a twelfth of the power in a resource block; an idle cell sends pilots only.

    Examples
    --------
    A cell at full load without neighbours, 1/12:

    >>> rsrq_db(np.array([-80.0]), np.array([0.0]), np.array([0.0]), np.array([1.0])).round(1).tolist()
    [-10.8]
    """
    served = 10 ** (rsrp_dbm / 10)
    block = 12 * (np.maximum(load, 1 / 6) * served + load * interference_mw + noise_mw)
    return 10 * np.log10(served / block)


def efficiency(sinr: Reals, technology: Integers) -> Reals:
    """Return bit/s/Hz of one layer: truncated Shannon (3GPP TR 36.942 A.1).

    Examples
    --------
    >>> efficiency(np.array([0.0, 60.0]), np.array([0, 0])).tolist()
    [0.6, 4.4]
    """
    bound = _air("alpha", technology) * np.log2(1 + 10 ** (sinr / 10))
    return np.minimum(bound, _air("ceiling", technology))


def share(load: Reals) -> Reals:
    """Return the share of a cell's capacity one test gets beside the others: what is free, and a fair part of the rest.

    Examples
    --------
    >>> share(np.array([0.0, 0.5, 0.9])).round(3).tolist()
    [1.0, 0.4, 0.08]
    """
    return np.maximum(1 - 1.2 * load, 0.8 * (1 - load))


def downlink_bps(sinr: Reals, load: Reals, technology: Integers, hertz: Reals, gain: Reals) -> Reals:
    """Return the downlink rate; `hertz` is bandwidth × downlink share × layers, `gain` the device's and chance's."""
    rate = hertz * efficiency(sinr, technology) * share(load) * gain
    return np.minimum(rate, _air("device_cap_bps", technology))


def uplink_bps(rsrp_dbm: Reals, load: Reals, technology: Integers, hertz: Reals, gain: Reals) -> Reals:
    """Return the uplink rate, which the phone's 23 dBm limit: 20 dB of SINR to −95 dBm, then 0.8 dB less each dB."""
    sinr = np.minimum(20.0, 20 + 0.8 * (rsrp_dbm + 95))
    return hertz * _air("uplink_share", technology) * efficiency(sinr, technology) * share(0.7 * load) * gain


def idle_ms(sinr: Reals, load: Reals, technology: Integers, noise: Reals) -> Reals:
    """Return the median round trip of an idle line: base, retransmissions at low SINR, the cell's queue."""
    return (_air("idle_ms", technology) + 14 / (1 + np.exp(sinr / 4)) + 7 * load / (1.02 - load)) * noise


def loaded_ms(idle: Reals, load: Reals, technology: Integers, noise: Reals) -> Reals:
    """Return the median round trip while a transfer runs."""
    return idle + _air("buffer_ms", technology) * (0.4 + load) * noise


def loss_chance(sinr: Reals, load: Reals) -> Reals:
    """Return the chance that one packet is lost."""
    return 0.0004 + 0.03 / (1 + np.exp((sinr + 4) / 1.5)) + 0.01 * load**6


def no_service_chance(rsrp_dbm: Reals) -> Reals:
    """Return the chance of no service at all: a half at −130 dBm."""
    return 1 / (1 + np.exp((rsrp_dbm + 130) / 1.5))


def access_failure_chance(sinr: Reals, load: Reals) -> Reals:
    """Return the chance that a test cannot start although there is service."""
    return 0.004 + 0.2 / (1 + np.exp((sinr + 5) / 1.5)) + 0.03 * load**8


def drop_chance(sinr: Reals) -> Reals:
    """Return the chance that a started transfer dies."""
    return 0.004 + 0.15 / (1 + np.exp((sinr + 4) / 1.5))
