"""Where a table goes: text for people, JSON lines, or a file whose suffix names its kind."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import polars as pl

from measurement.errors import ConfigError
from measurement.geography import Layer

Command = TypeVar("Command", bound=Callable[..., Any])

archive_option = click.option(
    "--archive", "path", required=True, envvar="HAIDANG_ARCHIVE", type=click.Path(path_type=Path),
    help="Archive directory.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines, one a row.")
out_option = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False),
    help="Write the table to a file instead: .csv, .parquet, .ndjson or .geojson.",
)  # fmt: skip


def progress(what: str, done: int, total: int) -> None:
    """Show on stderr how far the work is: a running line on a terminal, else its end only."""
    if sys.stderr.isatty():
        click.echo(f"\r{what}: {done}/{total} ", err=True, nl=done == total)
    elif done == total:
        click.echo(f"{what}: {total}", err=True)


def _geojson(frame: pl.DataFrame, layers: Sequence[Layer]) -> str:
    """Return rows that have a layer and an area as features with the area's shape."""
    if not {"layer", "area"} <= set(frame.columns):
        raise ConfigError("--out: Invalid suffix '.geojson'. Only tables of areas have shapes.")
    shapes = {(layer.key, area.key): area.polygons for layer in layers for area in layer.areas}
    features = [
        {
            "type": "Feature",
            "properties": row,
            "geometry": {"type": "MultiPolygon", "coordinates": shapes[row["layer"], row["area"]]},
        }
        for row in frame.iter_rows(named=True)
        if (row["layer"], row["area"]) in shapes
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)


def write_file(frame: pl.DataFrame, path: Path, layers: Sequence[Layer]) -> None:
    """Write a table as its suffix says.

    Raises
    ------
    ConfigError
        Where the suffix is none of the known, or the folder is not there.
    """
    writers: dict[str, Callable[[], Any]] = {
        ".csv": lambda: frame.write_csv(path),
        ".parquet": lambda: frame.write_parquet(path, compression="zstd"),
        ".ndjson": lambda: frame.write_ndjson(path),
        ".geojson": lambda: path.write_text(_geojson(frame, layers), "utf-8"),
    }
    if path.suffix not in writers:
        raise ConfigError(f"--out: Invalid suffix {path.suffix!r}. One of {', '.join(writers)}.")
    if not path.parent.is_dir():
        raise ConfigError(f"--out: Invalid folder {str(path.parent)!r}. It must exist.")
    writers[path.suffix]()
    click.echo(f"{frame.height} rows written to {path}", err=True)


def emit(frame: pl.DataFrame, text: str, *, as_json: bool, out: Path | None, layers: Sequence[Layer] = ()) -> None:
    """Send a table where the options say: to a file, as JSON lines, else as text."""
    if out is not None:
        write_file(frame, out, layers)
    elif as_json:
        click.echo(frame.write_ndjson(), nl=False)
    else:
        click.echo(text)
