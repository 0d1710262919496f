"""A drive as CSV, GeoJSON or GPX."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any, TextIO
from xml.sax.saxutils import escape, quoteattr

from probe.drive.logbook import Logbook, Point, Result


def to_csv(logbook: Logbook, out: TextIO) -> None:
    """Write one row a second; the results stand beside the second in which they ended."""
    names = ("kind", "status", "rtt_median_ms", "loss_ratio", "downlink_bps", "uplink_bps", "failure")
    results: dict[int | None, Result] = {result.point: result for result in logbook.results()}
    writer = csv.writer(out)
    simulated = logbook.fact("is_simulated") or "false"
    writer.writerow([*Point._fields, *names, "is_simulated"])
    for number, point in enumerate(logbook.points(), 1):
        result = results.get(number)
        told = [getattr(result, name) for name in names] if result is not None else [None] * len(names)
        writer.writerow([point.at.isoformat(), *point[1:], *told, simulated])


def to_geojson(logbook: Logbook, out: TextIO) -> None:
    """Write the track as a line, each second and each note as a point, results as properties of their second."""
    results = {result.point: result for result in logbook.results()}
    placed = [(n, p) for n, p in enumerate(logbook.points(), 1) if p.longitude_deg is not None]
    simulated = logbook.fact("is_simulated") == "true"
    line = [[p.longitude_deg, p.latitude_deg] for _, p in placed]
    features = [_feature("LineString", line, {"kind": "track", "is_simulated": simulated})] if len(line) > 1 else []
    for number, point in placed:
        properties: dict[str, Any] = {"kind": "second", "at": point.at.isoformat()}
        properties |= {
            name: value for name, value in point._asdict().items() if name not in _PLACE and value is not None
        }
        if (result := results.get(number)) is not None:
            told = {n: v for n, v in result._asdict().items() if v is not None and n not in ("at", "point")}
            properties["result"] = told
        features.append(_feature("Point", [point.longitude_deg, point.latitude_deg], properties))
    for note in logbook.notes():
        if note.longitude_deg is not None:
            place = [note.longitude_deg, note.latitude_deg]
            features.append(_feature("Point", place, {"kind": "note", "at": note.at.isoformat(), "text": note.text}))
    json.dump({"type": "FeatureCollection", "features": features}, out, ensure_ascii=False)
    out.write("\n")


_PLACE = ("at", "longitude_deg", "latitude_deg")


def _feature(kind: str, coordinates: list[Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def to_gpx(logbook: Logbook, out: TextIO) -> None:
    """Write a GPX 1.1 track with notes as waypoints; levels go into each point's comment."""
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    out.write('<gpx version="1.1" creator="haidang" xmlns="http://www.topografix.com/GPX/1/1">\n')
    for note in logbook.notes():
        if note.longitude_deg is not None:
            out.write(f"  <wpt{_at(note.longitude_deg, note.latitude_deg)}><time>{note.at.isoformat()}</time>")
            out.write(f"<name>{escape(note.text)}</name></wpt>\n")
    out.write(f"  <trk><name>{escape(logbook.fact('name') or logbook.path.stem)}</name><trkseg>\n")
    for point in logbook.points():
        if point.longitude_deg is not None:
            out.write(f"    <trkpt{_at(point.longitude_deg, point.latitude_deg)}>")
            out.write(f"<ele>{point.altitude_m}</ele>" if point.altitude_m is not None else "")
            out.write(f"<time>{point.at.isoformat()}</time>")
            level = f"{point.technology or '?'} RSRP {point.rsrp_dbm:g} dBm" if point.rsrp_dbm is not None else ""
            out.write(f"<cmt>{escape(level)}</cmt>" if level else "")
            out.write("</trkpt>\n")
    out.write("  </trkseg></trk>\n</gpx>\n")


def _at(longitude: float | None, latitude: float | None) -> str:
    return f" lat={quoteattr(str(latitude))} lon={quoteattr(str(longitude))}"


FORMATS: dict[str, Callable[[Logbook, TextIO], None]] = {"csv": to_csv, "geojson": to_geojson, "gpx": to_gpx}
