"""What each test of a day finds: radio, rates, latency, failures. Vectorised, each draw from the day's generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulation import service
from simulation.links import ANCHOR, HERTZ, NEW_RADIO, NOISE_MW, NR_USABLE_DBM, UPLINK_HERTZ, Links
from simulation.panel import Devices
from simulation.service import LTE, NSA, SA
from simulation.traffic import load

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

COMPLETE, NO_SERVICE, ACCESS_FAILED, DROPPED = range(4)
NETWORK, CROSS_TRAFFIC, PROBE_CPU = range(3)
LIMITED_SHARES = (0.965, 0.022, 0.013)
"""How often the network, other traffic of the device, or its processor held the rate down."""
PERFECT = (1.0, 0.0, 0.0)
"""The same for instruments that never fail: the truth's."""
HIGHEST_SINR_DB = (30.0, 40.0)
"""Where modems stop counting: LTE and NR."""
ECHOES = 100
"""Packets of the idle latency phase."""


class Cells(NamedTuple):
    """What a test needs to know of stations, by their number: mean load and type of commune."""

    load: Reals
    kind: Integers


class Leg(NamedTuple):
    """Measured levels of one leg, NaN where it is not heard."""

    rsrp_dbm: Reals
    rsrq_db: Reals
    sinr_db: Reals


class Findings(NamedTuple):
    """One value a test; NaN where nothing was measured. `leg` is the rated one, 0 anchor or 1 NR."""

    outcome: Integers
    technology: Integers
    leg: Integers
    station: Integers
    distance_m: Reals
    anchor: Leg
    new_radio: Leg
    downlink_bps: Reals
    uplink_bps: Reals
    idle_ms: Reals
    loaded_ms: Reals
    jitter_ms: Reals
    lost_count: Reals
    access_ms: Reals
    limited_by: Integers


def technology_of(links: Links, devices: Devices, device: Integers) -> Integers:
    """Return the technology each test runs on: 5G where the phone has it and hears it well enough."""
    on_nr = devices.has_nr[device] & (links.rsrp_dbm[:, NEW_RADIO] > NR_USABLE_DBM)
    return np.where(on_nr, np.where(devices.uses_sa[device], SA, NSA), LTE)


def _leg(links: Links, leg: int, operator: Integers, busy: Reals, fading: Reals) -> tuple[Leg, Reals]:
    """Return measured levels (rounded as modems do) and the true SINR."""
    rsrp, noise = links.rsrp_dbm[:, leg] + fading, NOISE_MW[operator, leg]
    sinr = service.sinr_db(rsrp, links.interference_mw[:, leg], noise, busy)
    rsrq = service.rsrq_db(rsrp, links.interference_mw[:, leg], noise, busy)
    heard = links.station[:, leg] >= 0
    low = -140.0 if leg == ANCHOR else -156.0
    shown = Leg(
        rsrp_dbm=np.where(heard, np.clip(np.round(rsrp), low, -31), np.nan),
        rsrq_db=np.where(heard, np.clip(np.round(rsrq * 2) / 2, -34, 3), np.nan),
        sinr_db=np.where(heard, np.clip(np.round(sinr * 2) / 2, -20, HIGHEST_SINR_DB[leg]), np.nan),
    )
    return shown, sinr


def measure(
    links: Links,
    devices: Devices,
    device: Integers,
    cells: Cells,
    hour: Integers,
    weekday: Integers,
    factor: Reals,
    rng: np.random.Generator,
    limited_shares: Sequence[float] = LIMITED_SHARES,
) -> Findings:
    """Run tests over their links, one row each.

    Hours and weekdays are local; `factor` is what is left of the rate where the network is degraded, 1 elsewhere.
    """
    count = len(device)
    operator = devices.operator[device]
    technology = technology_of(links, devices, device)
    leg = np.where(technology == LTE, ANCHOR, NEW_RADIO)
    rows = np.arange(count)
    busy = [load(cells.load[links.station[:, i]], cells.kind[links.station[:, i]], hour, weekday) for i in (0, 1)]
    noise = rng.standard_normal((8, count))
    anchor, anchor_sinr = _leg(links, ANCHOR, operator, busy[0], 1.5 * noise[0])
    new_radio, new_radio_sinr = _leg(links, NEW_RADIO, operator, busy[1], 1.5 * noise[1])
    on_nr = leg == NEW_RADIO
    sinr, rho = np.where(on_nr, new_radio_sinr, anchor_sinr), np.where(on_nr, busy[1], busy[0])
    rsrp = links.rsrp_dbm[rows, leg]
    chance = rng.random((3, count))
    # The levels are the place's own, without fading: whether a call can be set up does not hang on one sample.
    outcome = np.select(
        [
            chance[0] < service.no_service_chance(np.maximum(rsrp, links.rsrp_dbm[:, ANCHOR])),
            chance[1] < service.access_failure_chance(sinr, rho),
            chance[2] < service.drop_chance(sinr),
        ],
        [NO_SERVICE, ACCESS_FAILED, DROPPED],
        COMPLETE,
    )
    limited = np.searchsorted(np.cumsum(limited_shares), rng.random(count)).clip(0, 2)
    left = factor * np.where(limited == NETWORK, 1.0, rng.uniform(0.3, 0.8, count))
    hertz = HERTZ[operator, leg]
    gain = devices.gain[device]
    down = service.downlink_bps(sinr, rho, technology, hertz, gain * np.exp(0.30 * noise[2])) * left
    up = service.uplink_bps(rsrp, rho, technology, UPLINK_HERTZ[operator, leg], gain * np.exp(0.30 * noise[3])) * left
    idle = service.idle_ms(sinr, rho, technology, np.exp(0.12 * noise[4])) / np.sqrt(factor)
    loaded = service.loaded_ms(idle, rho, technology, np.exp(0.4 * noise[5]))
    echoed = (outcome == COMPLETE) | (outcome == DROPPED)
    done = outcome == COMPLETE

    def known(values: Reals, rows: npt.NDArray[np.bool_]) -> Reals:
        return np.where(rows, values, np.nan)

    return Findings(
        outcome=outcome,
        technology=np.where(outcome == NO_SERVICE, LTE, technology),
        leg=np.where(outcome == NO_SERVICE, ANCHOR, leg),
        station=np.where(outcome == NO_SERVICE, -1, links.station[rows, np.where(technology == SA, NEW_RADIO, ANCHOR)]),
        distance_m=links.distance_m[rows, np.where(technology == SA, NEW_RADIO, ANCHOR)],
        anchor=anchor,
        new_radio=new_radio,
        downlink_bps=known(down, done),
        uplink_bps=known(up, done),
        idle_ms=known(idle, echoed),
        loaded_ms=known(loaded, done),
        jitter_ms=known(idle * 0.09 * np.exp(0.45 * noise[6]) * (0.6 + rho), echoed),
        lost_count=known(rng.binomial(ECHOES, service.loss_chance(sinr, rho)).astype(float), echoed),
        access_ms=known(idle * 1.05 + 30 * np.exp(0.3 * noise[7]), echoed),
        limited_by=limited,
    )
