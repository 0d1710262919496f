"""The KPIs that surfaces are drawn of, one row each: scale, threshold, and where a surface no longer knows."""

from __future__ import annotations

from typing import NamedTuple

from analysis.thresholds import Thresholds

MASK_M = 500.0
"""Farther than this from any sample nothing is claimed (docs/coverage.md; evidence D)."""


class SurfaceKpi(NamedTuple):
    """How a KPI becomes a surface.

    `is_log` surfaces are kriged on natural logarithms: their mean is a median and their sigma is of the logarithm.
    `mask_error` is the deviation of the mean above which the surface is masked. `falls` says
    that distance to a station lowers it.
    """

    kpi: str
    is_log: bool
    mask_error: float
    falls: bool


SURFACES: tuple[SurfaceKpi, ...] = (
    SurfaceKpi("rsrp", False, 8.0, True),
    SurfaceKpi("sinr", False, 8.0, True),
    SurfaceKpi("downlink", True, 1.0, True),
)
"""Mask limits: 8 dB is what log-normal shadowing alone gives in cities (3GPP TR 38.901, 7.4.1: 4-8 dB); a logarithm
of 1 is a factor of 2.7 either way."""

BY_ID = {row.kpi: row for row in SURFACES}

SINR_USABLE_DB = 0.0
"""Below this LTE falls to its lowest modulation (evidence D)."""


def threshold(kpi: str, technology: str, limits: Thresholds) -> float | None:
    """Return the value a place should reach, in the KPI's unit; None where the country sets none."""
    if kpi == "rsrp":
        return limits.covered_dbm.get(technology)
    if kpi == "downlink":
        return limits.floor_bps.get(technology)
    return SINR_USABLE_DB
