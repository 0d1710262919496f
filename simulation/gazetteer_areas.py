"""Draw the approximate areas of Hải Phòng from the points of the PyPI package `vietnamadminunits` (MIT).

A developer's script; its output is package data of `measurement.gazetteer`. To draw again:

    pip download --no-deps vietnamadminunits==1.0.4 && unzip vietnamadminunits-*.whl -d wheel
    python -m simulation.gazetteer_areas wheel/vietnamadminunits measurement/gazetteer

A commune is the Voronoi cell of its point among all communes around, Hải Phòng's neighbours included, cut by a disc of
`REACH` times the radius its official area would have as a circle: that draws the shore where no neighbour stands.
Districts and the province are merged from communes, so that they nest. Nothing here is a surveyed line.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely

from simulation.plane import CENTRE, to_metres, to_sphere

PROVINCE = "31"
REACH = 1.5  # Of 1.2, 1.35, 1.5 and 1.8 the best trade between land missed and sea claimed (docs/gazetteer.md).
ARCHIPELAGO = "11914"  # Cát Hải is islands: its former wards' points stand for it, not one point at sea.
FAR_ISLAND = "11948"  # Bạch Long Vĩ, 110 km offshore: a disc of its official area.
ENGLISH = {
    "Phường": "Ward",
    "Xã": "Commune",
    "Đặc khu": "Special Zone",
    "Quận": "District",
    "Huyện": "District",
    "Thành phố": "City",
}


class Zone(NamedTuple):
    """A port or industrial park as a rectangle about its middle; `bearing_deg` of its length, clockwise from north."""

    key: str
    name: str
    name_en: str
    longitude_deg: float
    latitude_deg: float
    length_m: float
    width_m: float
    bearing_deg: float


# Middles and sizes from public maps, to about 500 m: enough to say "in the port", not to draw its fence.
ZONES = (
    Zone("port-hoang-dieu", "Cảng Hoàng Diệu", "Hoang Dieu Port", 106.684, 20.867, 2200, 500, 95),
    Zone("port-chua-ve", "Cảng Chùa Vẽ", "Chua Ve Port", 106.722, 20.868, 1800, 600, 110),
    Zone("port-dinh-vu", "Cảng Đình Vũ", "Dinh Vu Port", 106.770, 20.846, 3200, 900, 125),
    Zone("port-nam-dinh-vu", "Cảng Nam Đình Vũ", "Nam Dinh Vu Port", 106.812, 20.820, 3000, 900, 125),
    Zone("port-lach-huyen", "Cảng Lạch Huyện", "Lach Huyen Port", 106.905, 20.800, 4000, 900, 140),
    Zone("park-deep-c-1", "KCN DEEP C Hải Phòng I", "DEEP C Hai Phong I", 106.772, 20.829, 3200, 1400, 120),
    Zone("park-deep-c-2", "KCN DEEP C Hải Phòng II", "DEEP C Hai Phong II", 106.800, 20.808, 3200, 1400, 130),
    Zone("park-vsip", "KCN VSIP Hải Phòng", "VSIP Hai Phong", 106.702, 20.906, 3400, 2200, 70),
    Zone("park-trang-due", "KCN Tràng Duệ", "Trang Due Industrial Park", 106.560, 20.869, 2600, 1500, 60),
    Zone("park-nomura", "KCN Nomura - Hải Phòng", "Nomura Industrial Park", 106.585, 20.887, 1700, 900, 60),
    Zone("park-nam-cau-kien", "KCN Nam Cầu Kiền", "Nam Cau Kien Industrial Park", 106.640, 20.921, 2200, 1200, 45),
    Zone("park-do-son", "KCN Đồ Sơn", "Do Son Industrial Park", 106.757, 20.742, 1700, 900, 140),
    Zone("park-dai-an", "KCN Đại An", "Dai An Industrial Park", 106.270, 20.927, 2800, 1600, 95),
    Zone("park-tan-truong", "KCN Tân Trường", "Tan Truong Industrial Park", 106.226, 20.934, 1900, 1100, 95),
    Zone("airport-cat-bi", "Cảng hàng không Cát Bi", "Cat Bi Airport", 106.724, 20.819, 3400, 1000, 70),
)


def english(name: str) -> str:
    """Return a unit's English name.

    Examples
    --------
    >>> english('Phường Đông Hải')
    'Dong Hai Ward'
    """
    kind = next(prefix for prefix in ENGLISH if name.startswith(prefix + " "))
    bare = name[len(kind) + 1 :].replace("Đ", "D").replace("đ", "d")
    letters = unicodedata.normalize("NFD", bare)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)) + " " + ENGLISH[kind]


def _discs(points: Any, areas_km2: Any) -> Any:
    return shapely.buffer(shapely.points(points), REACH * np.sqrt(areas_km2 / np.pi) * 1000, quad_segs=6)


def commune_shapes(database: sqlite3.Connection) -> dict[str, Any]:
    """Return the approximate shape of each commune of the province, in metres of the plane."""
    seeds = [
        (code, longitude, latitude, area)
        for code, longitude, latitude, area in database.execute(
            "SELECT wardCode, wardLon, wardLat, wardAreaKm2 FROM admin_units "
            "WHERE wardLat BETWEEN 20.2 AND 21.6 AND wardLon BETWEEN 105.7 AND 108"
        )
        if code not in (ARCHIPELAGO, FAR_ISLAND)
    ]
    islands = database.execute(
        "SELECT DISTINCT wardLon, wardLat FROM admin_units_legacy WHERE districtCode = '317'"
    ).fetchall()
    official = dict(
        database.execute("SELECT wardCode, wardAreaKm2 FROM admin_units WHERE provinceCode = ?", (PROVINCE,))
    )
    seeds += [(ARCHIPELAGO, lon, lat, official[ARCHIPELAGO] / len(islands)) for lon, lat in islands]
    points = to_metres(np.array([s[1] for s in seeds]), np.array([s[2] for s in seeds]))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), ordered=True))
    cells = shapely.intersection(cells, _discs(points, np.array([s[3] for s in seeds])))
    merged: dict[str, list[Any]] = {}
    for (code, *_), cell in zip(seeds, cells, strict=True):
        merged.setdefault(code, []).append(cell)
    lon, lat = database.execute("SELECT wardLon, wardLat FROM admin_units WHERE wardCode = ?", (FAR_ISLAND,)).fetchone()
    point = to_metres(np.array([lon]), np.array([lat]))
    merged[FAR_ISLAND] = list(_discs(point, np.array([official[FAR_ISLAND] / REACH**2])))
    return {code: shapely.union_all(parts) for code, parts in merged.items() if code in official}


def former_districts(database: sqlite3.Connection, converter: dict[str, Any]) -> dict[str, str]:
    """Return for each commune the district from which most of its former wards came."""
    codes = dict(database.execute("SELECT wardKey, wardCode FROM admin_units WHERE provinceCode = ?", (PROVINCE,)))
    key = "thanhphohaiphong"
    became = {old: codes[new] for new, olds in converter["DICT_PROVINCE_WARD_NO_DIVIDED"][key].items() for old in olds}
    for old, shares in converter["DICT_PROVINCE_WARD_DIVIDED"].get(key, {}).items():
        became[old] = next(codes[share["newWardKey"]] for share in shares if share["isDefaultNewWard"])
    votes: dict[str, Counter[str]] = {FAR_ISLAND: Counter(["318"])}
    for district, *keys in database.execute(
        "SELECT districtCode, provinceKey, districtKey, wardKey FROM admin_units_legacy "
        "WHERE provinceCode IN ('30', '31') AND wardKey IS NOT NULL"
    ):
        if "_".join(keys) in became:
            votes.setdefault(became["_".join(keys)], Counter())[district] += 1
    return {commune: count.most_common(1)[0][0] for commune, count in votes.items()}


def zone_shape(zone: Zone) -> Any:
    """Return a zone's rectangle in metres of the plane."""
    middle = to_metres(np.array([zone.longitude_deg]), np.array([zone.latitude_deg]))[0]
    angle = np.radians(zone.bearing_deg)
    along = np.array([np.sin(angle), np.cos(angle)]) * zone.length_m / 2
    across = np.array([np.cos(angle), -np.sin(angle)]) * zone.width_m / 2
    return shapely.polygons(
        [middle + along + across, middle + along - across, middle - along - across, middle - along + across]
    )


def feature(code: str, name: str, name_en: str, parent: str | None, shape: Any, **more: Any) -> dict[str, Any]:
    """Return one GeoJSON feature; corners to five decimals, about a metre."""
    sphere = shapely.transform(shape, to_sphere)
    geometry = json.loads(shapely.to_geojson(shapely.set_precision(sphere, 1e-5)))
    geometry["coordinates"] = json.loads(json.dumps(geometry["coordinates"]), parse_float=lambda t: round(float(t), 5))
    properties = {"code": code, "name": name, "name_en": name_en, "parent": parent, **more}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def draw(package: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the features of each layer, drawn from an unpacked `vietnamadminunits`."""
    database = sqlite3.connect(f"file:{package / 'data' / 'dataset.db'}?mode=ro", uri=True)
    converter = json.loads((package / "data" / "converter_2025.json").read_text(encoding="utf-8"))
    shapes = commune_shapes(database)
    former = former_districts(database, converter)
    names = dict(database.execute("SELECT wardCode, ward FROM admin_units WHERE provinceCode = ?", (PROVINCE,)))
    points = {c: (x, y) for c, x, y in database.execute("SELECT wardCode, wardLon, wardLat FROM admin_units")}
    areas = dict(database.execute("SELECT wardCode, wardAreaKm2 FROM admin_units"))
    districts = dict(
        database.execute("SELECT districtCode, district FROM admin_units_legacy WHERE provinceCode = ?", (PROVINCE,))
    )

    def merged(district: str) -> Any:
        return shapely.union_all([shape for commune, shape in shapes.items() if former[commune] == district])

    def commune(code: str) -> dict[str, Any]:
        longitude, latitude = points[code]
        known = {"longitude_deg": longitude, "latitude_deg": latitude, "area_km2": areas[code]}
        name = names[code]
        return feature(code, name, english(name), PROVINCE, shapes[code], former_district=former[code], **known)

    city = shapely.union_all(list(shapes.values()))
    return {
        "provinces-2025": [feature(PROVINCE, "Thành phố Hải Phòng", "Hai Phong City", None, city)],
        "districts-2024": [
            feature(code, name, english(name), None, merged(code)) for code, name in sorted(districts.items())
        ],
        "communes-2025": [commune(code) for code in sorted(names)],
        "zones": [feature(z.key, z.name, z.name_en, None, zone_shape(z)) for z in ZONES],
    }


def main() -> None:
    """Write one GeoJSON file a layer."""
    package, target = Path(sys.argv[1]), Path(sys.argv[2])
    for key, features in draw(package).items():
        lines = ",\n".join(json.dumps(f, ensure_ascii=False, separators=(",", ":")) for f in features)
        (target / f"{key}.geojson").write_text(
            f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n', encoding="utf-8"
        )
        print(f"{key}: {len(features)} areas about {CENTRE}", file=sys.stderr)


if __name__ == "__main__":
    main()
