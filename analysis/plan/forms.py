"""The forms a plan takes: GPX for navigation, GeoJSON for maps, text for messages."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

import polars as pl


def gpx(plan: pl.DataFrame) -> str:
    """Return the stops as GPX 1.1: waypoints, and a route where they are ordered."""
    points = []
    for row in plan.iter_rows(named=True):
        number = row["stop"] or row["rank"]
        name = escape(f"{number}. {row['name']}")
        text = escape(f"{row['reason_vi']} / {row['reason_en']}")
        points.append((row["latitude_deg"], row["longitude_deg"], f"<name>{name}</name><desc>{text}</desc>"))
    way = [f'<wpt lat="{y}" lon="{x}">{body}</wpt>' for y, x, body in points]
    if plan.height and plan["stop"].is_not_null().all():
        inner = "".join(f'<rtept lat="{y}" lon="{x}">{body}</rtept>' for y, x, body in points)
        way.append(f"<rte><name>Hải Đăng</name>{inner}</rte>")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="haidang" xmlns="http://www.topografix.com/GPX/1/1">'
    return "\n".join([head, *way, "</gpx>\n"])


def geojson(plan: pl.DataFrame) -> str:
    """Return the stops as points, and the route as a line where they are ordered."""
    features: list[dict[str, object]] = [
        {
            "type": "Feature",
            "properties": row,
            "geometry": {"type": "Point", "coordinates": [row["longitude_deg"], row["latitude_deg"]]},
        }
        for row in plan.iter_rows(named=True)
    ]
    if plan.height > 1 and plan["stop"].is_not_null().all():
        line = [list(pair) for pair in plan.select("longitude_deg", "latitude_deg").iter_rows()]
        features.append(
            {
                "type": "Feature",
                "properties": {"kind": "route"},
                "geometry": {"type": "LineString", "coordinates": line},
            }
        )
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)


def text(plan: pl.DataFrame, language: str = "en") -> str:
    """Write the stops for people, one paragraph each."""
    if plan.is_empty():
        return {"en": "Nothing to plan.", "vi": "Không có gì để lập kế hoạch."}[language]
    lines = []
    for row in plan.iter_rows(named=True):
        number = row["stop"] or row["rank"]
        where = f"{row['latitude_deg']:.5f}, {row['longitude_deg']:.5f}"
        lines.append(
            f"{number:3d}. {row['name']}  ({where})  {row['minutes']:.0f} min, {row['tests']} × {row['operator']}"
        )
        lines.append(f"     {row['reason_' + language]}")
    total = float(plan["minutes"].sum())
    done = {"en": f"{plan.height} stops, {total:.0f} minutes.", "vi": f"{plan.height} điểm, {total:.0f} phút."}
    return "\n".join([*lines, done[language]])
