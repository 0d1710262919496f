"""Draw every surface of an archive: operator by operator, technology by technology."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import h3
import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import results
from analysis.coverage.blocks import BLOCK_M, Blocks, average
from analysis.coverage.cells import RESOLUTION, Cells, around
from analysis.coverage.direction import Stretch
from analysis.coverage.kpis import BY_ID, MASK_M, SurfaceKpi, threshold
from analysis.coverage.plane import Plane, plane_of
from analysis.coverage.surface import Prediction, Surface, fit_surface, probability_above
from analysis.partition import parent_cell
from analysis.thresholds import Thresholds
from measurement.geography import BaseStation

Floats = npt.NDArray[np.float64]
Progress = Callable[[str, int, int], None]

_FAMILY = {"5g": "nr", "4g": "lte", "3g": "umts", "2g": "gsm"}


class Drawn(NamedTuple):
    """One surface with what it was drawn from; `surface` is None where there were too few places."""

    operator: str
    technology: str
    kpi: SurfaceKpi
    samples_count: int
    is_simulated: bool
    surface: Surface | None


def _values(rows: pl.DataFrame, kpi: SurfaceKpi) -> Floats:
    values = rows[kpi.kpi].to_numpy().astype(np.float64)
    return np.log(np.maximum(values, 1.0)) if kpi.is_log else values


def blocks_of(rows: pl.DataFrame, kpi: SurfaceKpi, plane: Plane, size_m: float = BLOCK_M) -> Blocks:
    """Average located records into blocks."""
    points = plane.project(rows["position_longitude_deg"].to_numpy(), rows["position_latitude_deg"].to_numpy())
    device = rows["probe_id"].to_physical().to_numpy().astype(np.int64)
    site = rows["base_station"].to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    return average(points, _values(rows, kpi), device, site, size_m)


def _stations(registry: Sequence[BaseStation], operator: str, technology: str, plane: Plane) -> Floats:
    """Return the positions of an operator's stations of a technology, of any technology where there are none."""
    own = [s for s in registry if s.operator == operator]
    fitting = [s for s in own if s.technology == _FAMILY[technology]] or own
    return plane.project([s.longitude_deg for s in fitting], [s.latitude_deg for s in fitting])


def draw(
    rows: pl.DataFrame,
    registry: Sequence[BaseStation],
    kpis: Sequence[str],
    seed: int = 1,
    progress: Progress = lambda _what, _done, _total: None,
    stretch: Stretch | None = None,
) -> Iterator[tuple[Drawn, Plane]]:
    """Yield each surface of some located records; a stretch is fitted where none is given."""
    if rows.is_empty():
        return
    plane = plane_of(rows["position_longitude_deg"].to_numpy(), rows["position_latitude_deg"].to_numpy())
    groups = rows.group_by("operator", "technology", maintain_order=True).len().sort("operator", "technology")
    total, done = groups.height * len(kpis), 0
    for operator, technology, _ in groups.iter_rows():
        group = rows.filter((pl.col("operator") == operator) & (pl.col("technology") == technology))
        stations = _stations(registry, operator, technology, plane)
        for name in kpis:
            kpi = BY_ID[name]
            known = group.drop_nulls(name)
            rng = np.random.default_rng(seed)
            surface = None
            if not known.is_empty():
                blocks = blocks_of(known, kpi, plane)
                surface = fit_surface(blocks, stations, rng, falls=kpi.falls, stretch=stretch)
            done += 1
            progress("surfaces", done, total)
            simulated = bool(known["is_simulated"].any())
            yield Drawn(operator, technology, kpi, known.height, simulated, surface), plane


def _shown(prediction: Prediction, kpi: SurfaceKpi) -> Floats:
    return np.exp(prediction.mean) if kpi.is_log else prediction.mean


def counts_of(rows: pl.DataFrame, resolution: int) -> pl.DataFrame:
    """Count the tests of each operator, technology and cell by KPI: columns h3_cell and one for each KPI."""
    cells = parent_cell(rows["h3_cell"].to_numpy(), resolution) if resolution < 10 else None
    names = (
        [
            h3.latlng_to_cell(y, x, resolution)
            for x, y in rows.select("position_longitude_deg", "position_latitude_deg").iter_rows()
        ]
        if cells is None
        else [f"{cell:x}" for cell in cells]
    )
    return (
        rows.with_columns(pl.Series("h3_cell", names, dtype=pl.String))
        .group_by("operator", "technology", "h3_cell")
        .agg(pl.col(*BY_ID).count())
    )


def table(drawn: Drawn, cells: Cells, counts: pl.DataFrame, resolution: int, limits: Thresholds) -> pl.DataFrame:
    """Ask a surface for every cell, as rows of the `coverage` table."""
    if drawn.surface is None:
        return pl.DataFrame(schema=results.schema("coverage"))
    prediction = drawn.surface.predict(cells.centres)
    limit = threshold(drawn.kpi.kpi, drawn.technology, limits)
    scaled = np.log(limit) if limit is not None and drawn.kpi.is_log else limit
    probability: Any = None if scaled is None else probability_above(prediction, float(scaled))
    masked = (prediction.nearest_m > MASK_M) | (prediction.error > drawn.kpi.mask_error)
    frame = pl.DataFrame(
        {
            "h3_cell": cells.names,
            "mean": _shown(prediction, drawn.kpi),
            "sigma": prediction.sigma,
            "error": prediction.error,
            "probability": probability if probability is not None else [None] * len(cells.names),
            "nearest_m": prediction.nearest_m,
            "is_masked": masked,
        }
    )
    own = counts.filter((pl.col("operator") == drawn.operator) & (pl.col("technology") == drawn.technology))
    frame = frame.join(
        own.select("h3_cell", pl.col(drawn.kpi.kpi).alias("samples_count")),
        on="h3_cell",
        how="left",
        maintain_order="left",
    ).with_columns(
        pl.col("samples_count").fill_null(0),
        pl.lit(resolution).alias("resolution"),
        pl.lit(drawn.operator).alias("operator"),
        pl.lit(drawn.technology).alias("technology"),
        pl.lit(drawn.kpi.kpi).alias("kpi"),
        pl.lit(limit, dtype=pl.Float64).alias("threshold"),
        pl.lit(drawn.is_simulated).alias("is_simulated"),
    )
    return results.shape("coverage", frame)


def cells_of(rows: pl.DataFrame, plane: Plane, resolution: int = RESOLUTION) -> Cells:
    """Return the cells around some located records, thinned to one position in each fine cell first."""
    fine = rows.select(
        (pl.col("position_longitude_deg") * 1000).round().alias("x"),
        (pl.col("position_latitude_deg") * 1000).round().alias("y"),
    ).unique()
    return around(fine["x"].to_numpy() / 1000, fine["y"].to_numpy() / 1000, plane, resolution)
