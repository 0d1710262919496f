"""The sector antenna of 3GPP TR 38.901 Table 7.3-1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]

BEAM_DEG = 65.0
BACK_DB = 30.0


def pattern(off_axis_deg: Reals) -> Reals:
    """Return the horizontal gain in dB relative to the main direction, never above 0.

    Examples
    --------
    Half the beam width off the axis costs 3 dB; behind, 30 dB:

    >>> pattern(np.array([0.0, 32.5, -32.5, 180.0])).tolist()
    [-0.0, -3.0, -3.0, -30.0]
    """
    turned = (off_axis_deg + 180) % 360 - 180
    return -np.minimum(12 * (turned / BEAM_DEG) ** 2, BACK_DB)
