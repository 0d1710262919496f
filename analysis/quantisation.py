"""KPI values as 16-bit codes: small, sortable, and exact enough that no published interval feels it.

A logarithmic KPI is kept at steps of at most 0.8 % (rounding at most 0.4 %), a level at 1/16 dB
(RSRP) or 1/32 dB, a share at 1/2000.
Code 0 of a logarithmic KPI means zero, or below its lowest step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float64]

BINS = 2048
"""Number of codes of a KPI."""

MISSING = 0xFFFF
"""Code of an absent value."""


class Scale(NamedTuple):
    """How a KPI's values become codes. `low` and `high` in the KPI's unit; values beyond are held at the ends."""

    kpi: str
    low: float
    high: float
    is_log: bool

    def encode(self, values: Any) -> Codes:
        """Return the code of each value; NaN becomes `MISSING`.

        Examples
        --------
        >>> SCALES['rsrp'].encode([-156.0, float('nan')]).tolist()
        [0, 65535]
        """
        x = np.asarray(values, np.float64)
        absent = np.isnan(x)
        held = np.clip(np.where(absent, self.low, x), self.low if not self.is_log else self.low / 2, self.high)
        if self.is_log:
            step = np.log(self.high / self.low) / (BINS - 2)
            code = 1 + np.rint(np.log(held / self.low) / step)
            code = np.where(held < self.low, 0, code)
        else:
            code = np.rint((held - self.low) / (self.high - self.low) * self.steps)
        return np.where(absent, MISSING, code).astype(np.uint16)

    @property
    def steps(self) -> int:
        """Highest code. Shares: halves, fifths and hundredths are exact; levels: whole and half decibels are."""
        return 2000 if self.high == 1.0 else 2016

    @property
    def centres(self) -> Floats:
        """Value of each code, shape (BINS,).

        Examples
        --------
        >>> centres = SCALES['downlink'].centres
        >>> float(centres[0]), bool(abs(centres[SCALES['downlink'].encode(40e6)] / 40e6 - 1) < 0.004)
        (0.0, True)
        """
        codes = np.arange(BINS)
        if self.is_log:
            step = np.log(self.high / self.low) / (BINS - 2)
            return np.asarray(np.where(codes == 0, 0.0, self.low * np.exp((codes - 1) * step)))
        return np.asarray(self.low + codes * (self.high - self.low) / self.steps)


SCALES: dict[str, Scale] = {
    scale.kpi: scale
    for scale in (
        Scale("downlink", 1e4, 1e10, True),
        Scale("uplink", 1e4, 1e10, True),
        Scale("latency", 0.05, 60_000.0, True),
        Scale("loaded_latency", 0.05, 60_000.0, True),
        Scale("jitter", 0.005, 60_000.0, True),
        Scale("loss", 1e-5, 1.0, True),
        Scale("responsiveness", 0.1, 1e6, True),
        Scale("access_delay", 0.05, 60_000.0, True),
        Scale("access_failure", 0.0, 1.0, False),
        Scale("drop", 0.0, 1.0, False),
        Scale("floor_share", 0.0, 1.0, False),
        Scale("coverage_share", 0.0, 1.0, False),
        Scale("rsrp", -156.0, -30.0, False),
        Scale("rsrq", -43.0, 20.0, False),
        Scale("sinr", -23.0, 40.0, False),
    )
}
"""One scale for each KPI of `measurement.kpi`."""

SHARES = ("access_failure", "drop", "floor_share", "coverage_share")
"""KPIs counted over tests: their figure is a share."""
