"""The site: pages from templates, data from the archive's results, assets from the package; all of it static files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import polars as pl

from analysis.results import ALL, WHOLE
from maps import folium_map, language, scales
from maps.coast import coast
from maps.findings import FINDINGS
from maps.packing import write_script
from maps.publish import changes, hexagons, ratings, stations, surfaces
from maps.shapes import Shaped, payload, quantise, shape
from maps.source import RESULTS, Source, default_layer
from maps.view import View, around, unwrap, view_of

HERE = Path(__file__).parent
PAGES = ("index.html", "area.html", "station.html", "progress.html", "about.html", "test/index.html")
ASSETS = ("leaflet", "leaflet-heat", "ndt7", "be-vietnam-pro")
Progress = Callable[[str], None]


class Options(NamedTuple):
    """How to build. `made_at` is the clock's reading; `peer_url` is where the browser test measures."""

    made_at: datetime
    tiles: str | None = None
    peer_url: str | None = None
    collector_url: str | None = None
    internal: bool = False


class Built(NamedTuple):
    """What was built: files and bytes, and notes for whoever built it."""

    files_count: int
    bytes_count: int
    notes: list[str]


def csp(page: str, options: Options) -> str:
    """Return the Content-Security-Policy of a page: nothing inline, nothing from elsewhere but what was asked for."""
    images = "'self' data: blob:"
    if options.tiles and page == "index.html":
        images += " " + "/".join(options.tiles.replace("{s}.", "*.").split("/")[:3])
    rules = ["default-src 'none'", "script-src 'self'", "style-src 'self'", f"img-src {images}", "font-src 'self'"]
    connect = "'self'"
    if page.startswith("test/"):
        rules.append("worker-src 'self'")
        connect += " " + (_origins(options) or "http: https: ws: wss:")
    return "; ".join([*rules, f"connect-src {connect}", "manifest-src 'self'", "base-uri 'none'", "form-action 'none'"])


def _origins(options: Options) -> str:
    if not options.peer_url:
        return ""
    found = []
    for url in (options.peer_url, options.collector_url):
        if url:
            origin = "/".join(url.split("/")[:3])
            found += [origin, origin.replace("http", "ws", 1)]
    return " ".join(found)


def build(source: Source, folder: Path, options: Options, progress: Progress = lambda _: None) -> Built:
    """Write the site into `folder`, replacing what an earlier build wrote there."""
    _clear(folder)
    progress("shaping areas")
    shaped = [shape(layer) for layer in source.layers]
    notes = [
        f"{each.layer.key}: boundaries simplified, {each.point_count:,} to {each.drawn_count:,} points, "
        f"about {each.tolerance_m:.0f} m at most"
        for each in shaped
        if each.is_simplified
    ]
    view = _view(shaped, source)
    west = -180.0 if view.box[1] <= 180 else view.box[0]
    for index, each in enumerate(shaped):
        write_script(folder, f"layer-{index}", payload(each))
    words = {column: source.words(column) for column in ("operator", "technology")} | {"period": source.periods}
    opening = shaped[default_layer(source.layers, options.made_at.date())] if shaped else None
    files = [*_land(folder, view), *_tables(source, folder, words, options, west, opening, progress)]
    progress("writing pages")
    meta = _meta(source, shaped, view, words, files, options)
    write_script(folder, "site", meta)
    write_script(folder, "language", {code: language.texts(code) for code in language.CODES})
    pieces = folium_map.build(view.box, _heat(source, words, west), options.tiles)
    _write_pages(folder, pieces, options, meta)
    _copy_assets(folder)
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return Built(len(sizes), sum(sizes), notes)


def _land(folder: Path, view: View) -> Iterator[str]:
    """Write `land` where the package's coastline knows the whole view; yield its name."""
    if coast().covers(view.box):
        rings = [[quantise(ring.coords) for ring in (p.exterior, *p.interiors)] for p in coast().land.geoms]
        write_script(folder, "land", {"attribution": coast().attribution, "polygons": rings})
        yield "land"


def _tables(
    source: Source,
    folder: Path,
    words: dict[str, list[str]],
    options: Options,
    west: float,
    opening: Shaped | None,
    progress: Progress,
) -> Iterator[str]:
    tables = source.tables
    if "area_ratings" in tables:
        progress("ratings of areas")
        yield from ratings.write_area_maps(folder, tables["area_ratings"], source.layers, source.periods)
        yield from ratings.write_area_pages(folder, tables, source.layers)
    if "changes" in tables:
        yield from changes.write_changes(folder, tables["changes"], source.layers)
    yield from stations.write_stations(folder, source.stations, words["operator"], opening)
    if "bts_ratings" in tables:
        progress("ratings of base stations")
        yield from stations.write_station_ratings(folder, tables["bts_ratings"], source.stations, source.periods)
        yield from stations.write_station_pages(folder, tables, source.stations, internal=options.internal)
    if "hexagons" in tables:
        progress("hexagons")
        yield from hexagons.write_hexagons(folder, tables["hexagons"], words, internal=options.internal, west=west)
    progress("coverage and findings")
    yield from surfaces.write_surfaces(folder, tables, words, west=west)


def _view(shaped: list[Shaped], source: Source) -> View:
    if shaped:
        index = default_layer(source.layers, datetime.now(UTC).date())
        return shaped[index].view
    points = [(s.longitude_deg, s.latitude_deg) for s in source.stations]
    if points:
        box = around([(x, x, y, y) for x, y in points])
        return View((box[0] - 0.02, box[1] + 0.02, box[2] - 0.02, box[3] + 0.02), {})
    return view_of([])


def _meta(
    source: Source, shaped: list[Shaped], view: View, words: dict[str, list[str]], files: list[str], options: Options
) -> dict[str, Any]:
    today = options.made_at.date()
    exclusions = source.tables.get("exclusions")
    return {
        "made_at": options.made_at.isoformat(timespec="minutes"),
        "days": [source.days[0], source.days[-1], len(source.days)] if source.days else None,
        "is_simulated": source.is_simulated,
        "is_internal": options.internal,
        "all": ALL,
        "whole": WHOLE,
        "kpis": scales.payload(),
        "colours": scales.COLOURS,
        "no_data": scales.NO_DATA,
        "grades": scales.GRADES,
        "words": words,
        "box": view.box,
        "far": view.far,
        "default_layer": default_layer(source.layers, today),
        "layers": [_layer_meta(each, today) for each in shaped],
        "stations_count": len(source.stations),
        "shard": stations.SHARD,
        "floors": [hexagons.MIN_TESTS, hexagons.MIN_DEVICES],
        "computed": [name for name in RESULTS if name in source.tables],
        "results": RESULTS,
        "findings": [finding._asdict() for finding in FINDINGS],
        "exclusions": [] if exclusions is None else exclusions.to_dicts(),
        "peer_url": options.peer_url,
        "collector_url": options.collector_url,
        "files": sorted(files),
    }


def _layer_meta(each: Shaped, today: date) -> dict[str, Any]:
    layer = each.layer
    until = layer.valid_until
    return {
        "key": layer.key,
        "title": {"en": layer.title_en, "vi": layer.title_vi},
        "count": len(layer.areas),
        "is_approximate": layer.is_approximate,
        "is_historical": until is not None and until < today,
        "valid_until": None if until is None else until.isoformat(),
        "valid_from": None if layer.valid_from is None else layer.valid_from.isoformat(),
        "points": [each.point_count, each.drawn_count, round(each.tolerance_m)],
        "attribution": layer.attribution,
    }


def _heat(source: Source, words: dict[str, list[str]], west: float) -> list[tuple[float, float, float]]:
    """Return the cells of the opening slice, weighed by their tests."""
    frame = source.tables.get("hexagons")
    if frame is None or not frame.height:
        return []
    import h3

    coarse = frame["resolution"].min()
    cells = hexagons.cell_numbers(
        frame.filter((pl.col("resolution") == coarse) & (pl.col("samples_count") >= hexagons.MIN_TESTS))
        .group_by("h3_cell")
        .agg(pl.col("samples_count").max())
        .sort("h3_cell")
    )
    top = float(cells["samples_count"].quantile(0.95) or 1) if cells.height else 1.0
    points = []
    for cell, count in cells.select("h3_cell", "samples_count").iter_rows():
        latitude, longitude = h3.cell_to_latlng(cell)
        points.append((round(unwrap(longitude, west), 4), round(latitude, 4), round(min(1.0, count / top), 2)))
    return points


def _write_pages(folder: Path, pieces: folium_map.Pieces, options: Options, meta: dict[str, Any]) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "pages"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    texts = language.texts("vi")
    for page in PAGES:
        html = environment.get_template(page).render(
            csp=csp(page, options), root="../" if "/" in page else "", page=page, map=pieces, meta=meta,
            t=lambda key: texts[key],
        )  # fmt: skip
        path = folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, "utf-8")
    (folder / "map.js").write_text("'use strict';\n" + pieces.script, "utf-8")
    # What the collector may answer with its own, so that the peer can move without a new build.
    settings = {"peer_url": options.peer_url, "collector_url": options.collector_url}
    (folder / "test" / "settings.json").write_text(json.dumps(settings), "utf-8")


def _copy_assets(folder: Path) -> None:
    for name in ASSETS:
        shutil.copytree(HERE / "assets" / name, folder / "assets" / name, dirs_exist_ok=True)
    shutil.copytree(HERE / "page_files", folder / "page", dirs_exist_ok=True)


def _clear(folder: Path) -> None:
    """Remove what an earlier build wrote: a stale slice must not outlive its ratings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("data", "page", "assets", "test"):
        shutil.rmtree(folder / name, ignore_errors=True)
