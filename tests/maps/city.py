"""A small archive with results of known shape for the map's tests: real areas of the gazetteer, made-up figures."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h3
import polars as pl
import shapely
from shapely.geometry import MultiPolygon, Polygon

from analysis.results import ALL, WHOLE, schema, shape
from archive.store import Archive
from measurement.gazetteer import layers as gazetteer
from measurement.geography import Area, BaseStation, Layer

MONTHS = ("2026-08", "2026-09", "2026-10")
PERIODS = (WHOLE, *MONTHS)
OPERATORS = ("Viettel", "VinaPhone")
TECHNOLOGIES = ("5g", "4g")
KPIS = {
    "score": ("score", 60.0, 14.0),
    "downlink": ("median", 9e7, 4e7),
    "uplink": ("median", 2.5e7, 8e6),
    "latency": ("median", 38.0, 12.0),
    "loss": ("mean", 0.008, 0.004),
    "access_failure": ("share", 0.02, 0.01),
    "rsrp": ("median", -94.0, 8.0),
}


def _figures(rng: random.Random, kpi: str, tests: int) -> dict[str, Any]:
    statistic, centre, spread = KPIS[kpi]
    value = centre + rng.uniform(-1, 1) * spread
    enough = tests >= 100
    half = abs(centre) * 0.8 / tests**0.5
    return {
        "kpi": kpi,
        "statistic": statistic,
        "value": value if enough else None,
        "low": value - half if enough else None,
        "high": value + half if enough else None,
        "samples_count": tests,
        "devices_count": max(1, tests // 4),
        "effective_count": tests * 0.8,
        "needed_count": 0 if enough else 100 - tests,
        "status": "rated" if enough else "insufficient",
        "grade": "EDCBA"[min(4, max(0, int((value - 35) // 15) + 1))] if kpi == "score" and enough else None,
        "is_simulated": True,
    }


def _groups() -> list[tuple[str, str, str]]:
    return [(o, t, p) for o in (ALL, *OPERATORS) for t in (ALL, *TECHNOLOGIES) for p in PERIODS]


def area_ratings(layers: Sequence[Layer], rng: random.Random) -> pl.DataFrame:
    rows = []
    for layer in layers:
        for area in layer.areas:
            base = rng.choice((20, 80, 150, 400, 900))
            for operator, technology, period in _groups():
                for kpi in KPIS:
                    row = _figures(rng, kpi, max(1, int(base * (1 if period == WHOLE else 0.6))))
                    rows.append(
                        {
                            "layer": layer.key,
                            "area": area.key,
                            "operator": operator,
                            "technology": technology,
                            "period": period,
                            **row,
                        }
                    )
    frame = pl.DataFrame(rows, schema_overrides={"grade": pl.String}, infer_schema_length=None)
    group = ["layer", "operator", "technology", "period", "kpi"]
    place = pl.col("value").rank(descending=True).over(group).cast(pl.Int64)
    ranked = frame.with_columns(
        pl.when(pl.col("kpi") == "score").then((place - 2).clip(1)).alias("rank_low"),
        pl.when(pl.col("kpi") == "score").then(place + 2).alias("rank_high"),
    )
    return ranked.select(list(schema("area_ratings")))


def bts_ratings(stations: Sequence[BaseStation], rng: random.Random) -> pl.DataFrame:
    rows = []
    for station in stations:
        for period in PERIODS:
            for kpi in ("score", "downlink", "rsrp"):
                row = _figures(rng, kpi, rng.choice((20, 150, 500)))
                rows.append(
                    {
                        "base_station": station.id,
                        "operator": station.operator,
                        "technology": "5g",
                        "period": period,
                        **row,
                        "rank_low": None,
                        "rank_high": None,
                    }
                )
    return pl.DataFrame(rows, schema_overrides=dict(schema("bts_ratings")), infer_schema_length=None).select(
        list(schema("bts_ratings"))
    )


def hexagons(cells: Sequence[str], rng: random.Random) -> pl.DataFrame:
    rows = []
    for resolution in (8, 9):
        for cell in sorted({h3.cell_to_parent(c, resolution) if resolution < 9 else c for c in cells}):
            tests = rng.choice((2, 4, 6, 20, 70))
            for operator, technology, period in _groups():
                for kpi in ("downlink", "latency", "rsrp"):
                    _, centre, spread = KPIS[kpi]
                    rows.append(
                        (
                            cell,
                            resolution,
                            operator,
                            technology,
                            period,
                            kpi,
                            centre + rng.uniform(-1, 1) * spread,
                            centre - spread,
                            tests,
                            max(1, tests // 2),
                            max(0, 5 - tests),
                            "rated" if tests >= 5 else "insufficient",
                            True,
                        )
                    )
    return pl.DataFrame(rows, schema=schema("hexagons"), orient="row")


def series(layers: Sequence[Layer], rng: random.Random) -> pl.DataFrame:
    rows = []
    for layer in layers:
        for area in layer.areas[:4]:
            for operator in OPERATORS:
                for axis, ats in (
                    ("day", [f"2026-10-{d:02d}" for d in range(1, 31)]),
                    ("hour_of_day", [f"{h:02d}" for h in range(24)]),
                ):
                    for at in ats:
                        value = 9e7 * rng.uniform(0.7, 1.3)
                        rows.append(
                            (
                                layer.key,
                                area.key,
                                operator,
                                "5g",
                                axis,
                                at,
                                "downlink",
                                value,
                                value * 0.8,
                                value * 1.2,
                                40,
                                True,
                            )
                        )
    return pl.DataFrame(rows, schema=schema("series"), orient="row")


def histograms(layers: Sequence[Layer], rng: random.Random) -> pl.DataFrame:
    rows = [
        (layer.key, area.key, operator, "5g", WHOLE, "downlink", 1e7 * i, 1e7 * (i + 1), rng.random() / 10)
        for layer in layers
        for area in layer.areas[:4]
        for operator in OPERATORS
        for i in range(20)
    ]
    return pl.DataFrame(rows, schema=schema("histograms"), orient="row")


def bts_plots(stations: Sequence[BaseStation], rng: random.Random) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Weeks, parts of the day and distributions; the last station has too few devices to be shown."""
    weeks, parts = [f"2026-10-{d:02d}" for d in (5, 12, 19, 26)], [f"{h:02d}" for h in range(0, 24, 3)]
    rows, bins = [], []
    for station in stations:
        own = {"base_station": station.id, "technology": "4g", "kpi": "downlink", "samples_count": 40,
               "devices_count": 2 if station is stations[-1] else 12}  # fmt: skip
        for axis, places in (("week", weeks), ("part_of_day", parts)):
            for at in places:
                value = 5e7 + rng.uniform(-1, 1) * 2e7
                rows.append({**own, "operator": station.operator, "axis": axis, "at": at, "value": value,
                             "low": value * 0.8, "high": value * 1.3, "is_simulated": True})  # fmt: skip
        for low, high in ((1e7, 2e7), (2e7, 4e7), (8e7, 16e7)):  # nothing between 40 and 80 Mbit/s
            bins.append({**own, "bin_low": low, "bin_high": high, "share": 1 / 3})
    return shape("bts_series", pl.DataFrame(rows)), shape("bts_histograms", pl.DataFrame(bins))


def changes(layers: Sequence[Layer]) -> pl.DataFrame:
    """The first area got worse, the second better; the others show nothing."""
    rows = []
    for layer in layers:
        for position, area in enumerate(layer.areas):
            verdict = ("worse", "better")[position] if position < 2 else "no difference shown"
            change = (0.7, 1.2)[position] if position < 2 else 1.01
            rows += [
                {"layer": layer.key, "area": area.key, "operator": operator, "technology": technology,
                 "before": MONTHS[-2], "period": MONTHS[-1], "kpi": "downlink", "first": 5e7, "second": 5e7 * change,
                 "change": change, "low": change - 0.1, "high": change + 0.1, "is_ratio": True, "p_value": 0.001,
                 "q_value": 0.01, "verdict": verdict, "first_tests": 200, "second_tests": 220, "is_simulated": True}
                for operator in (ALL, *OPERATORS)
                for technology in (ALL, *TECHNOLOGIES)
            ]  # fmt: skip
    return shape("changes", pl.DataFrame(rows))


def registry(rng: random.Random, count: int = 60) -> list[BaseStation]:
    return [
        BaseStation(
            id=f"HP-{i:04d}",
            operator=rng.choice(OPERATORS),
            technology="nr_nsa",
            longitude_deg=106.6 + rng.random() * 0.2,
            latitude_deg=20.78 + rng.random() * 0.15,
            azimuths_deg=[0.0, 120.0, 240.0],
            is_simulated=True,
        )
        for i in range(count)
    ]


def cells_of(layers: Sequence[Layer], count: int) -> list[str]:
    centre = h3.latlng_to_cell(20.85, 106.68, 9)
    ring = 1
    while 3 * ring * (ring + 1) + 1 < count:
        ring += 1
    return sorted(h3.grid_disk(centre, ring))[:count]


def hostile(layer: Layer) -> Layer:
    """Give the first area a name that tries to be markup and code."""
    evil = "</script><img src=x onerror=alert(1)>{{7*7}}\u2028'\"&"
    first = layer.areas[0]
    area = Area(
        key=first.key,
        name=evil,
        name_en=evil,
        polygons=first.polygons,
        parent=first.parent,
        population=first.population,
    )
    return Layer(
        key=layer.key,
        title_en=layer.title_en,
        title_vi=layer.title_vi,
        areas=[area, *layer.areas[1:]],
        parent=layer.parent,
        valid_from=layer.valid_from,
        valid_until=layer.valid_until,
        is_approximate=layer.is_approximate,
    )


def square(key: str, west: float, south: float, size: float = 0.1, name: str | None = None) -> Area:
    ring = [
        (west, south), (west + size, south), (west + size, south + size), (west, south + size), (west, south),
    ]  # fmt: skip
    return Area(key=key, name=name or key, name_en=name or key, polygons=[[ring]])


def wiggly(count: int) -> Layer:
    """Return a layer of two neighbours whose common border has very many points."""
    border = [(106.5 + 0.001 * ((i * 7919) % 13) / 13, 20.0 + i / count) for i in range(count + 1)]
    left = [(106.0, 20.0), *border, (106.0, 21.0), (106.0, 20.0)]
    right = [(107.0, 20.0), (107.0, 21.0), *reversed(border), (107.0, 20.0)]
    shapes = [MultiPolygon([Polygon(r)]) for r in (left, right)]
    assert all(shapely.is_valid(s) for s in shapes)
    return Layer(
        key="big",
        title_en="Big",
        title_vi="Lớn",
        areas=[
            Area(key="l", name="Trái", name_en="Left", polygons=[[left]]),
            Area(key="r", name="Phải", name_en="Right", polygons=[[right]]),
        ],
    )


def make(path: Path, *, cells: int = 200, seed: int = 1, layers: Sequence[Layer] | None = None) -> Path:
    """Write the archive and return its path."""
    rng = random.Random(seed)
    shown = list(gazetteer() if layers is None else layers)
    stations = registry(rng)
    with Archive(path, create=True) as archive:
        archive.set_layers(shown)
        archive.set_base_stations(stations)
        archive.write_result("area_ratings", area_ratings(shown, rng))
        archive.write_result("bts_ratings", bts_ratings(stations, rng))
        archive.write_result("hexagons", hexagons(cells_of(shown, cells), rng))
        archive.write_result("series", series(shown, rng))
        archive.write_result("histograms", histograms(shown, rng))
        for name, frame in zip(("bts_series", "bts_histograms"), bts_plots(stations, rng), strict=True):
            archive.write_result(name, frame)
        archive.write_result("changes", changes(shown))
        archive.write_result(
            "exclusions",
            pl.DataFrame(
                [("area", "kept", 9000), ("area", "mock-position", 12)], schema=schema("exclusions"), orient="row"
            ),
        )
    return path
