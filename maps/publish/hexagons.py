"""Hexagons: their corners once a resolution, their figures once an operator, technology and period.

Cells below the floors of publishing carry no figure and no place of their own: they are told together, by the parent
cell, as ground that needs more tests. An internal build shows them one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h3
import numpy as np
import polars as pl

from maps.packing import rounded, write_script
from maps.shapes import QUANTUM_DEG
from measurement.kpi import BY_ID

MIN_TESTS, MIN_DEVICES = 5, 3
"""docs/rating.md, publishing: positions appear only as cells with at least five tests and three devices."""

PARENT = 7
"""Resolution at which thin ground is told: about 5 km²."""

GROUP = ("operator", "technology", "period")


def cell_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Give `h3_cell` as text, whether it stands as hexadecimal text or as an integer."""
    if frame["h3_cell"].dtype == pl.String:
        return frame
    cells = frame["h3_cell"].unique()
    names = pl.DataFrame({"h3_cell": cells, "text": [h3.int_to_str(int(c)) for c in cells]})
    return frame.join(names, on="h3_cell", how="left").drop("h3_cell").rename({"text": "h3_cell"})


def corners_payload(cells: list[str], west: float = -180.0) -> dict[str, Any]:
    """Return centres and corners of cells as differences: neighbours in H3 order have nearly the same shape."""
    stream: list[int] = []
    previous = [0] * 14
    for cell in cells:
        latitude, longitude = h3.cell_to_latlng(cell)
        longitude += 360 if longitude < west else 0
        x, y = round(longitude / QUANTUM_DEG), round(latitude / QUANTUM_DEG)
        ring = h3.cell_to_boundary(cell)[:6]
        ring = ring + ring[-1:] * (6 - len(ring))  # a pentagon repeats its last corner
        offsets = [v for lat, lon in ring for v in _offset(lon, lat, longitude, x, y)]
        now = [x, y, *offsets]
        stream += [a - b for a, b in zip(now, previous, strict=True)]
        previous = now
    return {"count": len(cells), "stream": stream}


def _offset(longitude: float, latitude: float, centre: float, x: int, y: int) -> tuple[int, int]:
    turned = longitude + 360 * round((centre - longitude) / 360)
    return round(turned / QUANTUM_DEG) - x, round(latitude / QUANTUM_DEG) - y


def publishable() -> pl.Expr:
    """Return the condition under which a cell's figures may be shown."""
    enough = pl.col("samples_count") >= MIN_TESTS
    return enough & (pl.col("devices_count") >= MIN_DEVICES)


def _thin(part: pl.DataFrame) -> pl.DataFrame:
    """Roll cells below the floor up to their parents; keep parents that themselves pass the floors."""
    parents = pl.DataFrame(
        [(cell, h3.cell_to_parent(cell, PARENT)) for cell in part["h3_cell"].unique()],
        schema={"h3_cell": pl.String, "parent": pl.String},
        orient="row",
    )
    # Devices of different cells may be the same ones: the largest count is the most that is certain.
    tests = part.group_by("h3_cell", *GROUP).agg(pl.col("samples_count").max(), pl.col("devices_count").max())
    return (
        tests.join(parents, on="h3_cell")
        .group_by("parent", *GROUP)
        .agg(
            pl.col("samples_count").sum(),
            pl.col("devices_count").max(),
            pl.len().alias("cells"),
            (MIN_TESTS - pl.col("samples_count")).clip(1).sum().alias("needed"),
        )
        .filter(publishable())
        .rename({"parent": "h3_cell"})
    )


def write_hexagons(
    folder: Path, frame: pl.DataFrame, words: dict[str, list[str]], *, internal: bool, west: float
) -> list[str]:
    """Write `grid-RESOLUTION`, `cells-OPERATOR-TECHNOLOGY-PERIOD-KPI` and `thin-…`; return the names written."""
    if "devices_count" not in frame.columns:
        frame = frame.with_columns(pl.col("samples_count").alias("devices_count"))
    frame = cell_numbers(frame)
    frame = rounded(frame, 3)
    # An internal build keeps the counts of every cell, and the value only where it may be shown.
    frame = frame.with_columns(pl.when(publishable()).then("value").alias("value"))
    shown = frame if internal else frame.filter(publishable())
    finest = int(shown["resolution"].max() or 0) if shown.height else 0  # type: ignore[arg-type]
    thin = pl.DataFrame() if internal else _thin(frame.filter(~publishable() & (pl.col("resolution") == finest)))
    written, index = [], {}
    cells_of = {int(r): sorted(set(p["h3_cell"])) for (r,), p in shown.partition_by("resolution", as_dict=True).items()}
    if thin.height:
        cells_of[PARENT] = sorted(set(thin["h3_cell"]) | set(cells_of.get(PARENT, [])))
    for resolution, cells in sorted(cells_of.items()):
        index[resolution] = pl.DataFrame({"h3_cell": cells, "index": range(len(cells))})
        written.append(f"grid-{resolution}")
        write_script(folder, written[-1], corners_payload(cells, west))
    slices: dict[str, dict[str, Any]] = {}
    for (resolution,), part in shown.partition_by("resolution", as_dict=True).items():
        placed = part.join(index[int(resolution)], on="h3_cell").drop("h3_cell").sort("index")
        for key, group in placed.partition_by(*GROUP, "kpi", as_dict=True).items():
            name = _slice_name("cells", key[:3], words)
            if name and key[3] in BY_ID:
                # One KPI a script: a switch reads what it draws, not ten times as much.
                slices.setdefault(f"{name}-{key[3]}", {})[str(resolution)] = _figures(group, internal)
    for key, group in thin.partition_by(*GROUP, as_dict=True).items() if thin.height else ():
        name = _slice_name("thin", key, words)
        if name:
            placed = group.join(index[PARENT], on="h3_cell").sort("index")
            slices[name] = {
                "index": placed["index"].to_list(), "cells": placed["cells"].to_list(),
                "tests": _counted(placed["samples_count"], exact=False), "needed": placed["needed"].to_list(),
            }  # fmt: skip
    for name, value in slices.items():
        written.append(name)
        write_script(folder, name, value)
    return written


BANDS = (3, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10_000)
"""Counts of a public site: a hexagon less its parts would tell what was held back, so no count is exact."""


def _counted(counts: pl.Series, exact: bool) -> list[int]:
    if exact:
        return counts.to_list()
    edges = np.array((0, *BANDS))
    banded: list[int] = edges[np.searchsorted(edges, counts.to_numpy(), side="right") - 1].tolist()
    return banded


def _figures(group: pl.DataFrame, exact: bool) -> dict[str, list[Any]]:
    """Return the columns of one KPI, its cells as steps."""
    figures: dict[str, list[Any]] = {
        "index": np.diff(group["index"].to_numpy(), prepend=0).tolist(),
        "value": group["value"].to_list(),
        "tests": _counted(group["samples_count"], exact),
        "devices": _counted(group["devices_count"], exact),
    }
    if "p10" in group.columns:
        figures["p10"] = group["p10"].to_list()
    return figures


def _slice_name(kind: str, key: tuple[Any, ...], words: dict[str, list[str]]) -> str:
    """Return the name of a slice by the positions of its words: a hostile operator's name never names a file."""
    places = []
    for column, word in zip(GROUP, key, strict=True):
        if word not in words[column]:
            return ""
        places.append(str(words[column].index(word)))
    return "-".join((kind, *places))
