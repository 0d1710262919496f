"""Findings beside the ratings: coverage surfaces, outlines of holes, and the tables of `maps.findings`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import shapely

from maps.findings import FINDINGS, worth_reading
from maps.packing import pack, rounded, write_script
from maps.publish.hexagons import cell_numbers, corners_payload
from maps.shapes import quantise

LIMIT = 2000
"""Rows of one table on a page; the whole of it is in the archive and in open data."""

HOLE_TOLERANCE_DEG = 1e-4


def write_surfaces(
    folder: Path, tables: dict[str, pl.DataFrame], words: dict[str, list[str]], *, west: float
) -> list[str]:
    """Write coverage slices and one script for each table of findings; return the names written."""
    written = []
    if "coverage" in tables:
        written += _coverage(folder, tables["coverage"], words, west)
    for finding in FINDINGS:
        frame = tables.get(finding.table)
        if frame is not None:
            rows = worth_reading(finding.table, frame)
            flat = rows.select(c for c in rows.columns if not rows[c].dtype.is_nested() and c != "geometry").head(LIMIT)
            value: dict[str, Any] = {**pack(flat, digits=6), "total": rows.height}
            if "geometry" in rows.columns:
                value["outlines"] = [_outline(text) for text in rows["geometry"].head(LIMIT)]
            write_script(folder, finding.table, value)
            written.append(finding.table)
    return written


def _outline(text: str | None) -> list[list[list[int]]]:
    """Return a GeoJSON geometry as polygons of rings of steps; nothing where it is none."""
    if not text:
        return []
    try:
        shape = shapely.from_geojson(text)
    except (shapely.errors.ShapelyError, msgspec.MsgspecError):
        return []
    simple = shapely.simplify(shape, HOLE_TOLERANCE_DEG)
    return [
        [quantise(ring.coords) for ring in (polygon.exterior, *polygon.interiors)]
        for polygon in shapely.get_parts(simple)
        if polygon.geom_type == "Polygon" and not polygon.is_empty
    ]


def _coverage(folder: Path, frame: pl.DataFrame, words: dict[str, list[str]], west: float) -> list[str]:
    """Write `covergrid-RESOLUTION` and `coverage-OPERATOR-TECHNOLOGY`; cells the surface does not know stay empty."""
    known = cell_numbers(frame.filter(~pl.col("is_masked").fill_null(False)) if "is_masked" in frame.columns else frame)
    known = known.filter(pl.col("mean").is_not_null())
    if not known.height:
        return []
    resolution = int(known["resolution"].max())  # type: ignore[arg-type]
    known = known.filter(pl.col("resolution") == resolution)
    cells = sorted(set(known["h3_cell"]))
    written = [f"covergrid-{resolution}"]
    write_script(folder, written[0], corners_payload(cells, west))
    index = pl.DataFrame({"h3_cell": cells, "index": range(len(cells))})
    placed = rounded(known, 3).join(index, on="h3_cell").sort("index")
    for (operator, technology), part in placed.partition_by("operator", "technology", as_dict=True).items():
        if operator in words["operator"] and technology in words["technology"]:
            name = f"coverage-{words['operator'].index(str(operator))}-{words['technology'].index(str(technology))}"
            surfaces = {str(kpi): _surface(own) for (kpi,), own in part.partition_by("kpi", as_dict=True).items()}
            write_script(folder, name, {"resolution": resolution, "surfaces": surfaces})
            written.append(name)
    return written


def _surface(own: pl.DataFrame) -> dict[str, Any]:
    surface: dict[str, Any] = {
        "index": own["index"].diff().fill_null(own["index"][0]).to_list(),
        "mean": own["mean"].to_list(),
        "sigma": own["sigma"].to_list(),
        **({"error": own["error"].to_list()} if "error" in own.columns else {}),
        "threshold": own["threshold"].drop_nulls().first() if "threshold" in own.columns else None,
    }
    if "probability" in own.columns and own["probability"].null_count() < own.height:
        surface["probability"] = [None if p is None else round(100 * p) for p in own["probability"]]
    return surface
