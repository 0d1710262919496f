"""A map as a picture, drawn by matplotlib: no browser, no server, the package's own font."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import cos, radians
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from shapely.geometry import MultiPolygon

from analysis.results import ALL
from maps import language
from maps.coast import coast
from maps.scales import COLOURS, GRADES, NO_DATA, breaks_of, row_class
from maps.selection import Selection, is_rated, rows
from maps.shapes import Shaped, label_point, shape
from maps.source import Source
from measurement.kpi import BY_ID

FONTS = Path(__file__).parent / "assets" / "be-vietnam-pro-ttf"
FAMILY = "Be Vietnam Pro"
DPI = 150
INK, SOFT, SEA, LAND = "#14222d", "#4b5b67", "#d3e3ec", "#eeece3"
POINT_DEG = 72  # points in an inch; names fit where their circle is as wide as they are


@cache
def use_fonts() -> None:
    """Make the package's font known to matplotlib."""
    for path in FONTS.glob("*.ttf"):
        font_manager.fontManager.addfont(str(path))
    matplotlib.rcParams["font.family"] = FAMILY


def title_of(code: str, selection: Selection) -> str:
    """Return what a picture shows, in one line."""
    kpi = BY_ID.get(selection.kpi)
    name = language.text(code, "kpi.score") if kpi is None else (kpi.title_vi if code == "vi" else kpi.title_en)
    operator, technology = operator_of(code, selection.operator), technology_of(code, selection.technology)
    return " · ".join((name, operator, technology, language.month(code, selection.period)))


def operator_of(code: str, word: str) -> str:
    """Return an operator's name, or the words for all of them."""
    return language.text(code, "operator.all") if word == ALL else word


def technology_of(code: str, word: str) -> str:
    """Return the name of a class of technology, or the words for all of them."""
    if word == ALL:
        return language.text(code, "technology.all")
    return language.texts(code).get(f"technology.{word}", word)


def _outline(geometry: MultiPolygon) -> PathPatch:
    rings = [ring for polygon in geometry.geoms for ring in (polygon.exterior, *polygon.interiors)]
    return PathPatch(Outline.make_compound_path(*(Outline([(x, y) for x, y, *_ in ring.coords]) for ring in rings)))


def _areas(axes: Axes, shaped: Shaped, found: dict[str, dict[str, Any]], selection: Selection) -> None:
    breaks = breaks_of(selection.kpi, selection.technology)
    solid, thin, colours = [], [], []
    for area, geometry in zip(shaped.layer.areas, shaped.geometries, strict=True):
        row = found.get(area.key)
        if geometry.is_empty:
            continue
        if row is not None and is_rated(row):
            solid.append(_outline(geometry))
            colours.append(COLOURS[row_class(row, breaks)])
        else:
            thin.append(_outline(geometry))
    axes.add_collection(PatchCollection(thin, facecolor="#eef2f4", edgecolor=NO_DATA, linewidth=0.5, hatch="////"))
    axes.add_collection(PatchCollection(solid, facecolor=colours, edgecolor=SOFT, linewidth=0.5))


def _names(axes: Axes, shaped: Shaped, code: str, points_per_deg: float) -> None:
    taken: list[tuple[float, float, float, float]] = []
    halo = [withStroke(linewidth=2.2, foreground="white")]
    places = [
        (label_point(geometry), area)
        for area, geometry in zip(shaped.layer.areas, shaped.geometries, strict=True)
        if not geometry.is_empty
    ]
    for (x, y, radius), area in sorted(places, key=lambda place: -place[0][2]):
        text = short_name(area.name if code == "vi" else area.name_en)
        half, tall = 1.9 * len(text) / points_per_deg, 4.2 / points_per_deg
        box = (x - half, x + half, y - tall, y + tall)
        if half > 2.4 * radius or any(
            box[0] < b[1] and b[0] < box[1] and box[2] < b[3] and b[2] < box[3] for b in taken
        ):
            continue
        taken.append(box)
        # A name from data is no mathematics: dollars stay dollars.
        axes.text(x, y, text, ha="center", va="center", fontsize=6.5, color=INK, path_effects=halo, parse_math=False)


def short_name(name: str) -> str:
    """Return a name without its kind.

    Examples
    --------
    >>> short_name('Phường Lê Chân'), short_name('Le Chan Ward')
    ('Lê Chân', 'Le Chan')
    """
    for kind in ("Phường ", "Xã ", "Quận ", "Huyện ", "Thị xã ", "Thị trấn ", "Thành phố ", "Đặc khu "):
        name = name.removeprefix(kind)
    for kind in (" Ward", " Commune", " Special Zone", " District", " Town", " City"):
        name = name.removesuffix(kind)
    return name


def _legend(axes: Axes, selection: Selection, code: str) -> None:
    breaks = breaks_of(selection.kpi, selection.technology)
    rising = breaks[0] <= breaks[-1]

    def number(value: float) -> str:
        return language.number(code, value, 0 if value == int(value) else 1)

    words = [f"{'<' if rising else '>'} {number(breaks[0])}"]
    words += [f"{number(low)}–{number(high)}" for low, high in pairwise(breaks)]
    words.append(f"{'≥' if rising else '≤'} {number(breaks[-1])}")
    if selection.kpi == "score":
        words = [f"{grade} · {text}" for grade, text in zip(GRADES, words, strict=True)]
    handles = [
        Patch(facecolor=colour, edgecolor=SOFT, linewidth=0.5, label=text)
        for colour, text in zip(COLOURS, words, strict=True)
    ][::-1]
    handles.append(
        Patch(facecolor="#eef2f4", edgecolor=NO_DATA, hatch="////", label=language.text(code, "legend.thin"))
    )
    kpi = BY_ID.get(selection.kpi)
    axes.legend(
        handles=handles, title=kpi.shown_unit if kpi else None, loc="lower left", fontsize=8, title_fontsize=8,
        framealpha=0.95, edgecolor="#d5dde3",
    )  # fmt: skip


def draw(source: Source, selection: Selection, code: str, size_px: tuple[int, int] = (1600, 1100)) -> Figure:
    """Draw a selection of ratings of areas; whatever lies far out at sea is named, not shown."""
    use_fonts()
    shaped = shape(selection.layer)
    found = rows(source, selection)
    figure = Figure(figsize=(size_px[0] / DPI, size_px[1] / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.01, 0.05, 0.98, 0.85))
    axes.set_facecolor(SEA)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if coast().covers(shaped.view.box):
        axes.add_collection(
            PatchCollection([_outline(coast().land)], facecolor=LAND, edgecolor="#b9c4cb", linewidth=0.4)
        )
    _areas(axes, shaped, found, selection)
    west, east, south, north = shaped.view.box
    middle = (south + north) / 2
    stretch = 1 / max(0.05, cos(radians(middle)))
    room = axes.get_position()
    wide = size_px[0] * room.width / (size_px[1] * room.height) * stretch * (north - south)
    spread = 1.04 * max(1.0, (east - west) / wide)
    half_x, half_y = spread * max(wide, 1e-3) / 2, spread * max(north - south, 1e-3) / 2
    axes.set_xlim((west + east) / 2 - half_x, (west + east) / 2 + half_x)
    axes.set_ylim(middle - half_y, middle + half_y)
    _names(axes, shaped, code, _points_per_deg(figure, axes, west, east, south, north, stretch))
    _legend(axes, selection, code)
    figure.text(
        0.012, 0.955, title_of(code, selection), fontsize=14, weight=600, color=INK, va="center", parse_math=False
    )
    notes = [selection.layer.title_vi if code == "vi" else selection.layer.title_en]
    if selection.layer.is_approximate:
        notes.append(language.text(code, "layer.approximate"))
    far = [a for a in selection.layer.areas if a.key in shaped.view.far]
    if far:
        names = ", ".join(a.name if code == "vi" else a.name_en for a in far[:5])
        notes.append(language.text(code, "picture.far", names=names))
    if coast().covers(shaped.view.box):
        notes.append(coast().attribution)
    figure.text(0.012, 0.022, " · ".join(notes), fontsize=8, color=SOFT, va="center", parse_math=False)
    if source.is_simulated:
        figure.text(
            0.988, 0.955, language.text(code, "simulated.short"), fontsize=11, weight=600, color="#553d00",
            ha="right", va="center", bbox={"facecolor": "#fff1cc", "edgecolor": "#e8cf86", "boxstyle": "round,pad=0.4"},
        )  # fmt: skip
    return figure


def _points_per_deg(
    figure: Figure, axes: Axes, west: float, east: float, south: float, north: float, stretch: float
) -> float:
    width, height = figure.get_size_inches()
    box = axes.get_position()
    across = width * box.width * POINT_DEG / max(east - west, 1e-6)
    up = height * box.height * POINT_DEG / max((north - south) * stretch, 1e-6)
    return float(min(across, up))
