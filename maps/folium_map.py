"""The one place that knows folium, and its latitude-first order: the map, and its parts taken out of folium's page.

folium writes one page with scripts inside and a dozen links to other machines. Here its element tree is rendered piece
by piece: the body goes into our page, the script into a file of its own, the links are answered by the package's own
copies, and a link nobody answers is an error, not a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import folium
from branca.element import CssLink, Element, JavascriptLink, MacroElement
from folium.plugins import HeatMap
from folium.template import Template

from measurement.errors import InstrumentError

NAME = "haidang"
_VENDORED = {"leaflet": "assets/leaflet/leaflet.js", "leaflet-heat.js": "assets/leaflet-heat/leaflet-heat.js"}
_VENDORED_CSS = {"leaflet_css": "assets/leaflet/leaflet.css"}
# Markers with icons, Bootstrap's look and jQuery belong to folium's default page; nothing of ours uses them.
_UNUSED = {
    "jquery", "bootstrap", "awesome_markers", "bootstrap_css", "glyphicons_css", "awesome_markers_font_css",
    "awesome_markers_css", "awesome_rotate_css",
}  # fmt: skip
_GRADIENT = {0.2: "#440154", 0.4: "#3b528b", 0.6: "#21918c", 0.8: "#5ec962", 1.0: "#fde725"}  # viridis


class Pieces(NamedTuple):
    """What a page needs of the map. Paths are relative to the site."""

    body: str
    script: str
    scripts: list[str]
    styles: list[str]


class Explorer(MacroElement):  # type: ignore[misc]
    """Hand the map and the heat layer to the page's own script."""

    _template = Template("""
        {% macro script(this, kwargs) %}
            haidang.explore({{ this._parent.get_name() }}, {{ this.heat.get_name() }});
        {% endmacro %}
    """)

    def __init__(self, heat: Element) -> None:
        super().__init__()
        self._name, self._id, self.heat = "explorer", NAME, heat


def build(
    box: tuple[float, float, float, float], heat: Sequence[tuple[float, float, float]], tiles: str | None = None
) -> Pieces:
    """Build the map over `box` (west, east, south, north) with heat points (longitude, latitude, weight 0–1)."""
    west, east, south, north = box
    page = folium.Figure()
    chart = folium.Map(
        location=[(south + north) / 2, (west + east) / 2], zoom_start=10, tiles=None,
        zoom_control="topright", zoomSnap=0.25, minZoom=3, maxZoom=18, worldCopyJump=False,
    )  # fmt: skip
    chart._id = NAME
    page.add_child(chart)
    if tiles:
        layer = folium.TileLayer(tiles, attr="© OpenStreetMap contributors")
        layer._id = NAME
        layer.add_to(chart)
    density = HeatMap(
        [[latitude, longitude, weight] for longitude, latitude, weight in heat], name="density", show=False,
        min_opacity=0.25, max_zoom=13, radius=18, blur=14, gradient=_GRADIENT,
    )  # fmt: skip
    density._id = NAME
    density.add_to(chart)
    # No fit_bounds: it would animate, and end after the view that the page's address asks for.
    Explorer(density).add_to(chart)
    return _pieces(page)


def _pieces(page: folium.Figure) -> Pieces:
    page.render()
    scripts: list[str] = []
    styles: list[str] = []
    for key, child in page.header._children.items():
        for kind, known, found in ((JavascriptLink, _VENDORED, scripts), (CssLink, _VENDORED_CSS, styles)):
            if isinstance(child, kind) and key not in _UNUSED:
                if key not in known:
                    raise InstrumentError(f"folium asks for {child.url}, which this package does not carry.")
                found.append(known[key])
    # The element's own style attribute and size come from the page's style sheet.
    return Pieces(page.html.render().strip(), page.script.render(), scripts, styles)
