"""The table as CSV, Parquet and GeoJSON; each file with its size and SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import h3
import msgspec
import polars as pl

TABLE = "hexagons"
_MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "geojson": "application/geo+json"}


class File(NamedTuple):
    """One file of the package, its path relative to the folder."""

    path: str
    format: str
    media_type: str
    byte_count: int
    sha256: str
    title: str


def _described(folder: Path, path: Path, title: str) -> File:
    kind = path.suffix[1:]
    body = path.read_bytes()
    return File(
        path.relative_to(folder).as_posix(), kind, _MEDIA[kind], len(body), hashlib.sha256(body).hexdigest(), title
    )


def _ring(cell: str) -> list[list[float]]:
    """Return the closed ring of a cell, longitude first, on one side of the antimeridian (RFC 7946, 3.1.9)."""
    corners = [[round(lon, 6), round(lat, 6)] for lat, lon in h3.cell_to_boundary(cell)]
    if max(c[0] for c in corners) - min(c[0] for c in corners) > 180:
        corners = [[lon + 360 if lon < 0 else lon, lat] for lon, lat in corners]
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, corners[1:] + corners[:1], strict=True))
    ordered = corners if area > 0 else corners[::-1]  # exterior rings run counter-clockwise
    return [*ordered, ordered[0]]


def features(frame: pl.DataFrame) -> dict[str, Any]:
    """Return rows as a GeoJSON FeatureCollection of hexagons."""
    rings = {cell: _ring(cell) for cell in frame["h3_cell"].unique()}
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [rings[row["h3_cell"]]]},
                "properties": {name: value for name, value in row.items() if value is not None},
            }
            for row in frame.iter_rows(named=True)
        ],
    }


def safe_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Guard texts that a spreadsheet would take for a formula, as OWASP advises: a quote before = + - @ and tabs."""
    texts = [name for name in frame.columns if frame[name].dtype == pl.String]
    risky = r"^[=+\-@\t\r]"
    return frame.with_columns(
        pl.when(pl.col(n).str.contains(risky)).then(pl.lit("'") + pl.col(n)).otherwise(pl.col(n)).alias(n)
        for n in texts
    )


def write(frame: pl.DataFrame, folder: Path) -> list[File]:
    """Write the table in every format; GeoJSON one file a month, so that a browser can open it."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    for stale in data.glob(f"{TABLE}*"):
        stale.unlink()
    table, parquet = data / f"{TABLE}.csv", data / f"{TABLE}.parquet"
    safe_text(frame).write_csv(table)
    frame.write_parquet(parquet, compression="zstd")
    files = [_described(folder, table, "CSV"), _described(folder, parquet, "Parquet")]
    for (month,), part in frame.partition_by("month", as_dict=True).items():
        path = data / f"{TABLE}-{month}.geojson"
        path.write_bytes(msgspec.json.encode(features(part)))
        files.append(_described(folder, path, f"GeoJSON {month}"))
    return files
