"""How fast points are placed in areas: the label grid against prepared polygons and against shapely's plain tree."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely

from archive.areas import AreaIndex
from benchmarks import Row
from measurement import gazetteer
from measurement.geography import Layer, areas_from_geojson

REAL = Path(__file__).parents[2] / "shared" / "data" / "boundaries" / "hai_phong_114_wards_2025.geojson"


def _layer() -> tuple[Layer, str]:
    if REAL.is_file():
        areas = areas_from_geojson(REAL.read_bytes())
        return Layer(key="real", title_en="", title_vi="", areas=areas), "114 real communes"
    layer = next(layer for layer in gazetteer.layers() if layer.key == "communes-2025")
    return layer, "114 approximate communes (the real ones are not here)"


def _points(index: AreaIndex, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Half over the land, half around hot spots, as people are; nobody measures on the open sea."""
    noise = np.random.default_rng(1)
    bounds = shapely.bounds(index._shapes)
    middles = np.column_stack([(bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2])
    chosen = middles[noise.integers(len(middles), size=count)]
    spread = np.where(np.arange(count) % 2 == 0, 0.03, 0.005)[:, None]
    points = chosen + noise.normal(0, 1, (count, 2)) * spread
    return points[:, 0], points[:, 1]


def _rate(count: int, work: Callable[[], object], rounds: int = 3) -> float:
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return count / best


def run(count: int = 1_000_000) -> list[Row]:
    """Place a million points, and a sample of them by the peers."""
    layer, name = _layer()
    index = AreaIndex(layer)
    begin = time.perf_counter()
    index.build()
    build = time.perf_counter() - begin
    x, y = _points(index, count)
    few = 100_000
    grid = _rate(count, lambda: index.locate(x, y))
    prepared = _rate(few, lambda: index._exact(x[:few], y[:few]))
    tree = shapely.STRtree(np.array([shapely.from_wkb(shapely.to_wkb(s)) for s in index._shapes], dtype=object))
    plain = _rate(2_000, lambda: tree.query(shapely.points(x[:2_000], y[:2_000]), predicate="intersects"), rounds=1)
    wrong = int((index.locate(x[:few], y[:few]) != index._exact(x[:few], y[:few])).sum())
    inside = float((index.locate(x, y) >= 0).mean())
    note = (
        f"{name}, {inside:.0%} of points inside, {wrong} of {few:,} unlike the exact test; {grid / prepared:.1f} × "
        f"prepared polygons ({prepared / 1e6:.2f} M/s), {grid / plain:,.0f} × STRtree.query(points); "
        f"grid made in {build:.2f} s"
    )
    return [Row("placing", "points in areas", "≥ 1 M/s", f"{grid / 1e6:.1f} M/s", note)]


if __name__ == "__main__":
    for row in run():
        print(row)
