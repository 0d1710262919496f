"""A surface and its sigma side by side as a PNG: the only place that knows matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.coverage.kpis import MASK_M, SurfaceKpi
from analysis.coverage.plane import Plane
from analysis.coverage.run import Drawn
from measurement.geography import BaseStation
from measurement.kpi import BY_ID as KPIS

SIDE = 240
"""Cells along the longer side of the picture."""


def draw(path: Path, drawn: Drawn, plane: Plane, registry: Sequence[BaseStation] = (), title: str = "") -> None:
    """Draw a surface.

    Parameters
    ----------
    path
        PNG to write.
    drawn
        A surface that is not None.
    plane
        Plane of its points.
    registry
        Stations to mark; those of its operator are.
    title
        In place of operator, technology and KPI.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    surface = drawn.surface
    if surface is None:
        raise ValueError("Invalid surface None. Too few places.")
    points = surface.blocks.points
    low, high = points.min(0) - 2 * MASK_M / 3, points.max(0) + 2 * MASK_M / 3
    step = float((high - low).max()) / SIDE
    x, y = np.arange(low[0], high[0] + step, step), np.arange(low[1], high[1] + step, step)
    said = surface.predict(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))
    hidden = (said.nearest_m > MASK_M) | (said.error > drawn.kpi.mask_error)
    extent = (low[0] / 1000, x[-1] / 1000, low[1] / 1000, y[-1] / 1000)
    shape = (len(y), len(x))
    mean, unit, scale = _shown(np.where(hidden, np.nan, said.mean), drawn.kpi)
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 6.2), sharex=True, sharey=True, layout="constrained")
    image = left.imshow(
        mean.reshape(shape), origin="lower", extent=extent, cmap="RdYlGn", **_limits(mean), interpolation="nearest"
    )
    figure.colorbar(image, ax=left, label=f"{KPIS[drawn.kpi.kpi].title_en}, {unit}", shrink=0.85)
    sigma = np.where(said.nearest_m > MASK_M, np.nan, said.sigma * scale)
    image = right.imshow(sigma.reshape(shape), origin="lower", extent=extent, cmap="magma_r", interpolation="nearest")
    label = (
        "standard deviation of ln" if drawn.kpi.is_log else f"standard deviation of a test, {unit.replace('dBm', 'dB')}"
    )
    figure.colorbar(image, ax=right, label=label, shrink=0.85)
    right.plot(
        points[:, 0] / 1000,
        points[:, 1] / 1000,
        ".",
        color="#0b3d91",
        markersize=1.2 if len(points) > 500 else 4,
        label="measured blocks",
    )
    right.legend(loc="upper right", markerscale=3)
    own = [s for s in registry if s.operator == drawn.operator]
    if own:
        place = plane.project([s.longitude_deg for s in own], [s.latitude_deg for s in own]) / 1000
        inside = ((place > np.array(extent[::2])) & (place < np.array(extent[1::2]))).all(1)
        left.plot(*place[inside].T, "^", color="black", markersize=4, label="base stations")
        left.legend(loc="upper right")
    for axis in (left, right):
        axis.set(xlabel="km east", ylabel="km north", aspect="equal")
        axis.set_facecolor("#e8e8e8")
    simulated = ", simulated" if drawn.is_simulated else ""
    left.set_title(title or f"{drawn.operator} {drawn.technology}{simulated}: grey is not known")
    held = surface.reports[0] if surface.reports else None
    if held is not None:
        right.set_title(f"{held.scheme}: error {held.rmse:.1f}, {100 * held.coverage:.0f} % inside the 95 % interval")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _shown(mean: Any, kpi: SurfaceKpi) -> tuple[Any, str, float]:
    row = KPIS[kpi.kpi]
    if kpi.is_log:
        return np.exp(mean) * row.scale, row.shown_unit, 1.0
    return mean * row.scale, row.shown_unit, row.scale


def _limits(mean: Any) -> dict[str, float]:
    known = mean[~np.isnan(mean)]
    if not len(known):
        return {}
    low, high = np.quantile(known, [0.02, 0.98])
    return {"vmin": float(low), "vmax": float(high)}
