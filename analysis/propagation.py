"""Path loss fitted to samples of a station: exponent, R² and σ, and whether the fit may be used."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EARTH_M = 6_371_008.8

BEAM_DEG = 65.0
FRONT_TO_BACK_DB = 30.0
"""Horizontal pattern of a sector: -min(12 (phi / 65 deg)**2, 30) dB (3GPP TR 38.901 table 7.3-1; evidence V)."""

MINIMUM_SAMPLES = 30
LEAST_SPAN = 2.0
LEAST_R2 = 0.3
MOST_SIGMA_DB = 12.0
EXPONENTS = (1.5, 6.0)
"""Where a fit is usable: samples, P90/P10 of the distances, R², σ, exponent (docs/rating.md, base stations; D)."""


class Fit(NamedTuple):
    """rsrp = intercept - 10 exponent log10(distance / 1 m), the antenna taken off. `unusable` says why, or nothing."""

    exponent: float
    intercept_dbm: float
    r2: float
    sigma_db: float
    unusable: str


def offsets_m(longitude: Any, latitude: Any, longitude_0: Any, latitude_0: Any) -> tuple[Floats, Floats]:
    """Return metres east and north of a point, on a plane through it (within 0.1 % to 50 km at Hải Phòng).

    Examples
    --------
    >>> east, north = offsets_m(106.7, 20.86, 106.7, 20.85)
    >>> round(float(east)), round(float(north))
    (0, 1112)
    """
    north = np.radians(np.asarray(latitude, float) - latitude_0) * EARTH_M
    east = np.radians(np.asarray(longitude, float) - longitude_0) * EARTH_M * np.cos(np.radians(latitude_0))
    return east, north


def pattern_db(bearing_deg: Any, azimuth_deg: Any) -> Floats:
    """Return the gain of a sector off its azimuth.

    Examples
    --------
    >>> [float(x) for x in pattern_db([0.0, 65.0, 180.0], 0.0)]
    [0.0, -12.0, -30.0]
    """
    off = (np.asarray(bearing_deg, float) - azimuth_deg + 180) % 360 - 180
    return np.asarray(0.0 - np.minimum(12 * (off / BEAM_DEG) ** 2, FRONT_TO_BACK_DB))


def fit_path_loss(distance_m: Floats, rsrp_dbm: Floats, gain_db: Floats | float = 0.0) -> Fit:
    """Fit the path-loss exponent by least squares on log10(distance).

    Parameters
    ----------
    distance_m
        Distances of the samples, metres.
    rsrp_dbm
        Their levels.
    gain_db
        Gain of the antenna toward each, taken off; 0 where the azimuth is not known.

    Examples
    --------
    >>> d = np.geomspace(100, 2000, 40)
    >>> fit = fit_path_loss(d, -30 - 35 * np.log10(d))
    >>> round(fit.exponent, 3), round(fit.r2, 3), fit.unusable
    (3.5, 1.0, '')
    """
    level = rsrp_dbm - gain_db
    near = distance_m >= 10  # closer than a fix can tell
    d, y = distance_m[near], level[near]
    if len(d) < MINIMUM_SAMPLES:
        return Fit(np.nan, np.nan, np.nan, np.nan, f"{len(d)} samples, {MINIMUM_SAMPLES} are needed")
    x = np.log10(d)
    spread = float(np.percentile(d, 90) / np.percentile(d, 10))
    if x.std() < 1e-3:
        return Fit(np.nan, np.nan, np.nan, np.nan, "all samples at one distance")
    slope, intercept = np.polyfit(x - x.mean(), y, 1)
    intercept -= slope * x.mean()
    residual = y - (intercept + slope * x)
    sigma = float(residual.std(ddof=2))
    total = float(np.square(y - y.mean()).sum())
    r2 = 1 - float(np.square(residual).sum()) / total if total > 0 else 0.0
    exponent = -float(slope) / 10
    faults = {
        f"distances span a factor of {spread:.1f}, {LEAST_SPAN:g} is needed": spread < LEAST_SPAN,
        f"R² {r2:.2f} below {LEAST_R2:g}": r2 < LEAST_R2,
        f"σ {sigma:.1f} dB above {MOST_SIGMA_DB:g}": sigma > MOST_SIGMA_DB,
        f"exponent {exponent:.1f} outside {EXPONENTS[0]:g} to {EXPONENTS[1]:g}": not EXPONENTS[0]
        <= exponent
        <= EXPONENTS[1],
    }
    return Fit(exponent, float(intercept), r2, sigma, "; ".join(text for text, holds in faults.items() if holds))
