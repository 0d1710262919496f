"""The map site at the size that ten million records give: build, weight, speed, beside folium's own markers."""

from __future__ import annotations

import gzip
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import folium
import h3
import numpy as np
import polars as pl

from analysis.results import ALL, WHOLE, schema, shape
from archive.store import Archive
from benchmarks import Row
from maps.site import Options, build
from maps.source import read_source
from measurement.gazetteer import layers
from measurement.geography import BaseStation

OPERATORS = (ALL, "Viettel", "VinaPhone", "MobiFone", "Vietnamobile")
TECHNOLOGIES = (ALL, "5g", "4g")
MONTHS = ("2026-05", "2026-06")
CELLS, STATIONS, NAIVE = 14_000, 2_378, 150_000
DRAWN = 15_000  # of the naive markers: folium needs minutes for all, and each adds the same text
# What 10 M records of the simulated city fill, by rows: every area and station, 14,000 cells, of which three in
# five have figures for a choice of operator, technology and month.
FILLED = 0.6
KPIS = {
    "score": ("score", 60.0), "downlink": ("median", 9e7), "uplink": ("median", 2.5e7), "latency": ("median", 38.0),
    "loaded_latency": ("median", 90.0), "jitter": ("median", 6.0), "loss": ("mean", 0.01), "drop": ("share", 0.02),
    "access_failure": ("share", 0.02), "floor_share": ("share", 0.94), "rsrp": ("median", -94.0),
    "sinr": ("median", 9.0), "rsrq": ("median", -11.0), "access_delay": ("median", 60.0),
}  # fmt: skip
SWITCHES = (
    {"kpi": "downlink"}, {"operator": "Viettel"}, {"technology": "4g"}, {"kpi": "latency"}, {"operator": "MobiFone"},
    {"period": "2026-06"}, {"technology": "5g"}, {"period": "all"}, {"kpi": "score"}, {"theme": "hexagons"},
    {"kpi": "rsrp"}, {"operator": "VinaPhone"}, {"theme": "areas"}, {"theme": "density"},
)  # fmt: skip


SWITCH = "async (v) => { const t = performance.now(); await haidang.change(v); return performance.now() - t; }"


def _cross(**columns: Any) -> pl.DataFrame:
    frames = [pl.DataFrame({name: list(values)}) for name, values in columns.items()]
    made = frames[0]
    for frame in frames[1:]:
        made = made.join(frame, how="cross")
    return made


def _figures(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    centre = pl.col("kpi").replace_strict({k: v for k, (_, v) in KPIS.items()}, return_dtype=pl.Float64)
    noise, tests = rng.lognormal(0, 0.3, frame.height), rng.integers(5, 3000, frame.height)
    return frame.with_columns(
        (centre * pl.Series(noise)).alias("value"), pl.Series("samples_count", tests)
    ).with_columns(
        (pl.col("value") * 0.93).alias("low"), (pl.col("value") * 1.07).alias("high"),
        (pl.col("value") * 0.5).alias("p10"), (pl.col("samples_count") // 3 + 3).alias("devices_count"),
        pl.lit(0).alias("needed_count"), pl.lit("rated").alias("status"), pl.lit(True).alias("is_simulated"),
        pl.lit(1).alias("rank_low"), pl.lit(40).alias("rank_high"), pl.lit("B").alias("grade"),
    )  # fmt: skip


def _statistics(frame: pl.DataFrame) -> pl.DataFrame:
    own = frame.with_columns(pl.col("kpi").replace_strict({k: s for k, (s, _) in KPIS.items()}).alias("statistic"))
    more = [frame.filter(pl.col("kpi") != "score").with_columns(pl.lit(s).alias("statistic")) for s in ("p10", "p90")]
    return pl.concat([own, *more])


def archive_of(folder: Path) -> Path:
    """Write an archive with results of that size, no records."""
    rng = np.random.default_rng(1)
    shown = layers()
    keys = pl.DataFrame([(la.key, a.key) for la in shown for a in la.areas], schema=["layer", "area"], orient="row")
    group = _cross(operator=OPERATORS, technology=TECHNOLOGIES, period=(WHOLE, *MONTHS), kpi=KPIS)
    areas = _statistics(keys.join(group, how="cross"))
    ids = [f"BTS-{i:05d}" for i in range(STATIONS)]
    stations = _statistics(_cross(base_station=ids, technology=TECHNOLOGIES, kpi=KPIS)).with_columns(
        pl.lit("Viettel").alias("operator"), pl.lit(WHOLE).alias("period")
    )
    ring = h3.grid_disk(h3.latlng_to_cell(20.85, 106.6, 9), 100)
    fine = sorted(ring)[:CELLS]
    grid = pl.concat(
        pl.DataFrame({"h3_cell": cells, "resolution": [resolution] * len(cells)})
        for resolution, cells in ((9, fine), (8, sorted({h3.cell_to_parent(c, 8) for c in fine})))
    )
    kpis = [kpi for kpi in KPIS if kpi != "score"][:10]
    choices = _cross(operator=OPERATORS, technology=TECHNOLOGIES, period=(WHOLE, *MONTHS), kpi=kpis)
    hexagons = grid.join(choices, how="cross")
    hexagons = hexagons.filter(pl.Series(rng.random(hexagons.height) < FILLED))
    axis = [("day", f"2026-05-{d:02d}") for d in range(1, 32)] + [("day", f"2026-06-{d:02d}") for d in range(1, 30)]
    axis += [("hour_of_day", f"{h:02d}") for h in range(24)]
    at = pl.DataFrame(axis, schema=["axis", "at"], orient="row")
    series = keys.join(_cross(operator=OPERATORS, technology=TECHNOLOGIES, kpi=kpis[:8]), how="cross").join(
        at, how="cross"
    )
    places = [("week", f"2026-05-{d:02d}") for d in (4, 11, 18, 25)] + [
        ("part_of_day", f"{h:02d}") for h in range(0, 24, 3)
    ]
    plots = _cross(base_station=ids, technology=("4g",), kpi=("downlink", "uplink", "latency", "rsrp"))
    weeks = plots.join(pl.DataFrame(places, schema=["axis", "at"], orient="row"), how="cross")
    bins = plots.join(_cross(bin_low=[1e7 * i for i in range(12)]), how="cross").with_columns(
        (pl.col("bin_low") + 1e7).alias("bin_high"), pl.lit(1 / 12).alias("share")
    )
    with Archive(folder / "archive", create=True) as archive:
        archive.set_layers(shown)
        west, east, south, north = 106.4, 106.9, 20.7, 21.0
        places = zip(rng.uniform(west, east, STATIONS), rng.uniform(south, north, STATIONS), strict=True)
        archive.set_base_stations(
            [
                BaseStation(id=i, operator="Viettel", technology="lte", longitude_deg=float(x), latitude_deg=float(y))
                for i, (x, y) in zip(ids, places, strict=True)
            ]
        )
        for name, frame in (
            ("area_ratings", areas), ("bts_ratings", stations), ("hexagons", hexagons), ("series", series),
            ("bts_series", weeks), ("bts_histograms", bins),
        ):  # fmt: skip
            archive.write_result(name, shape(name, _figures(frame, rng)))
        archive.write_result("exclusions", pl.DataFrame(schema=schema("exclusions")))
    return folder / "archive"


def _naive(path: Path) -> int:
    """Draw as folium's examples do: a marker a point."""
    rng = np.random.default_rng(2)
    chart = folium.Map([20.85, 106.6], zoom_start=11)
    for x, y in zip(rng.uniform(106.4, 106.9, DRAWN), rng.uniform(20.7, 21.0, DRAWN), strict=True):
        folium.Marker([y, x], popup="40 Mbit/s").add_to(chart)
    chart.save(path)
    return path.stat().st_size


def _transferred(urls: list[str]) -> int:
    files = {Path(unquote(urlparse(url).path)) for url in urls if url.startswith("file:")}
    return sum(len(gzip.compress(path.read_bytes(), 6)) for path in files)


def _in_browser(site: Path) -> tuple[list[str], float, list[float], int]:
    from tests.maps.browser import DESKTOP, page, ready

    loads = []
    for _ in range(3):
        with page(DESKTOP) as (tab, seen):
            ready(tab, f"{site.as_uri()}/index.html", "usable")
            urls, outside = list(seen.requests), len(seen.outside)
            loads.append(float(tab.evaluate("document.documentElement.dataset.usable")))
            times = [float(tab.evaluate(SWITCH, values)) for values in (*SWITCHES, *SWITCHES)]
            outside += len(seen.outside)
    return urls, min(loads), times, outside


def run() -> list[Row]:
    """Build once, look at it thrice, draw naively once."""
    folder = Path(tempfile.mkdtemp(prefix="haidang-maps-"))
    try:
        archive = archive_of(folder)
        started, worked = time.monotonic(), time.process_time()
        built = build(read_source(archive), folder / "site", Options(datetime.now(UTC)))
        seconds, worked = time.monotonic() - started, time.process_time() - worked
        urls, usable, times, outside = _in_browser(folder / "site")
        ours = _transferred(urls)
        plain = sum(p.stat().st_size for p in {Path(unquote(urlparse(u).path)) for u in urls if u.startswith("file:")})
        started = time.monotonic()
        naive = _naive(folder / "naive.html")
        naive_seconds = time.monotonic() - started
        scale = NAIVE / DRAWN
        naive_gzip = scale * len(gzip.compress((folder / "naive.html").read_bytes(), 6))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    size = f"{worked:.1f} s of CPU; {built.files_count} files, {built.bytes_count / 1e6:.0f} MB"
    return [
        Row("maps", "build the site, ratings of 10 M records given", "20 s", f"{seconds:.1f} s", size),
        Row("maps", "overview transferred, gzip", "1.5 MB", f"{ours / 1e6:.2f} MB", f"{plain / 1e6:.1f} MB unpacked"),
        Row("maps", "overview usable, headless Chromium", "1500 ms", f"{usable:.0f} ms", "best of 3 loads"),
        Row(
            "maps", "switch of layer, operator, KPI, period", "200 ms", f"{statistics.median(times):.0f} ms median",
            f"slowest of {len(times)}: {max(times):.0f} ms",
        ),
        Row(
            "maps", f"folium with {NAIVE:,} markers, same run", "≥ 50 × larger",
            f"{naive * scale / plain:.0f} × larger unpacked",
            f"{DRAWN:,} drawn, {naive / 1e6:.0f} MB in {naive_seconds:.0f} s; gzip {naive_gzip / ours:.0f} ×",
        ),
        Row("maps", "requests leaving the machine", "0", str(outside), f"over {len(urls)} requests and every switch"),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(f"{row.what}: {row.measured} (to reach {row.reach}; {row.ratio_note})")
