"""Path loss of 3GPP TR 38.901 V17 (7.4), UMa and RMa, with line of sight, and the loss into buildings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

LIGHT_MPS = 2.998e8
PHONE_M = 1.5


class Scatter(NamedTuple):
    """Shadow fading: deviation in dB and correlation distance in metres, with and without line of sight."""

    los_db: float
    nlos_db: float
    los_m: float
    nlos_m: float


# TR 38.901 Table 7.4.1-1 and Table 7.5-6. RMa with sight takes the 4 dB of the near part.
UMA = Scatter(4.0, 6.0, 37.0, 50.0)
RMA = Scatter(4.0, 8.0, 37.0, 120.0)


def sight_probability_uma(distance_m: Reals) -> Reals:
    """Return the probability of line of sight in UMa at 2-D distances, phone at 1.5 m (TR 38.901 Table 7.4.2-1).

    Examples
    --------
    >>> sight_probability_uma(np.array([10.0, 18.0])).tolist()
    [1.0, 1.0]
    """
    d = np.maximum(distance_m, 18.0)
    return 18 / d + np.exp(-d / 63) * (1 - 18 / d)


def sight_probability_rma(distance_m: Reals) -> Reals:
    """Return the probability of line of sight in RMa at 2-D distances (TR 38.901 Table 7.4.2-1).

    Examples
    --------
    >>> sight_probability_rma(np.array([10.0, 1010.0])).round(4).tolist()
    [1.0, 0.3679]
    """
    return np.exp(-np.maximum(distance_m - 10, 0) / 1000)


def loss_uma(distance_m: Reals, height_m: Reals, frequency_ghz: float, sight: Booleans) -> Reals:
    """Return the UMa path loss in dB at 2-D distances from antennas at `height_m` (TR 38.901 Table 7.4.1-1).

    Examples
    --------
    At 100 m in sight of an antenna at 25 m, 28 + 22 log10(102.7) + 20 log10(2) = 78.3 dB:

    >>> loss_uma(np.array([100.0]), np.array([25.0]), 2.0, np.array([True])).round(1).tolist()
    [78.3]
    """
    d = np.maximum(distance_m, 10.0)
    rise = height_m - PHONE_M
    distance_3d = np.hypot(d, rise)
    log3d, carrier = np.log10(distance_3d), 20 * np.log10(frequency_ghz)
    breakpoint_m = 4 * (height_m - 1) * (PHONE_M - 1) * frequency_ghz * 1e9 / LIGHT_MPS
    near = 28 + 22 * log3d + carrier
    far = 28 + 40 * log3d + carrier - 9 * np.log10(breakpoint_m**2 + rise**2)
    clear = np.where(d < breakpoint_m, near, far)
    blocked = 13.54 + 39.08 * log3d + carrier
    result: Reals = np.where(sight, clear, np.maximum(clear, blocked))
    return result


def loss_rma(distance_m: Reals, height_m: Reals, frequency_ghz: float, sight: Booleans) -> Reals:
    """Return the RMa path loss in dB, houses of 5 m and streets of 20 m (TR 38.901 Table 7.4.1-1).

    Examples
    --------
    >>> loss_rma(np.array([100.0]), np.array([35.0]), 2.0, np.array([True])).round(1).tolist()
    [79.3]
    """
    d = np.maximum(distance_m, 10.0)
    rise = height_m - PHONE_M
    distance_3d = np.hypot(d, rise)
    house = 5.0

    def near(at_m: Reals) -> Reals:
        loss: Reals = (
            20 * np.log10(40 * np.pi * at_m * frequency_ghz / 3)
            + min(0.03 * house**1.72, 10) * np.log10(at_m)
            - min(0.044 * house**1.72, 14.77)
            + 0.002 * np.log10(house) * at_m
        )
        return loss

    breakpoint_m = 2 * np.pi * height_m * PHONE_M * frequency_ghz * 1e9 / LIGHT_MPS
    clear = near(np.minimum(distance_3d, breakpoint_m)) + 40 * np.log10(np.maximum(distance_3d / breakpoint_m, 1))
    blocked = (
        161.04
        - 7.1 * np.log10(20.0)
        + 7.5 * np.log10(house)
        - (24.37 - 3.7 * (house / height_m) ** 2) * np.log10(height_m)
        + (43.42 - 3.1 * np.log10(height_m)) * (np.log10(distance_3d) - 3)
        + 20 * np.log10(frequency_ghz)
        - (3.2 * np.log10(11.75 * PHONE_M) ** 2 - 4.97)
    )
    result: Reals = np.where(sight, clear, np.maximum(clear, blocked))
    return result


def wall_loss(frequency_ghz: float) -> float:
    """Return the loss in dB through the wall of a common building, the low-loss model (TR 38.901 Table 7.4.3-2).

    Examples
    --------
    >>> round(wall_loss(2.0), 1)
    11.8
    """
    glass, concrete = 2 + 0.2 * frequency_ghz, 5 + 4 * frequency_ghz
    return float(5 - 10 * np.log10(0.3 * 10 ** (-glass / 10) + 0.7 * 10 ** (-concrete / 10)))


WALL_SCATTER_DB = 4.4
INSIDE_DB_PER_M = 0.5
"""TR 38.901 Table 7.4.3-2: deviation of the wall's loss, and loss per metre of depth indoors."""
