"""`haidang-analysis participation`: users and samples against targets."""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from analysis import participation
from analysis.output import archive_option, emit, json_option, out_option, progress
from analysis.tables import grid
from archive.store import Archive
from measurement.columns import area_column
from measurement.errors import ConfigError


def _reached(count: int, target: int | None) -> str:
    return "-" if not target else f"{count / target * 100:.0f} %"


def _text(frame: pl.DataFrame, names: dict[str, str], layer: str | None) -> str:
    whole = frame.filter((pl.col("scope") == "whole") & (pl.col("period") == "all"))
    head = "".join(
        f"{users:,} users, {samples:,} samples\n"
        for users, samples in whole.select("users_count", "samples_count").rows()
    )
    shown = frame.filter(
        (pl.col("period") == "all")
        & (pl.col("scope") != "whole")
        & (pl.col("layer").is_null() | (pl.col("layer") == layer))
    ).sort("scope", "samples_count", descending=[False, True])
    rows = [
        [
            row["scope"],
            names.get(row["key"], row["key"]),
            row["users_count"],
            _reached(row["users_count"], row["users_target"]),
            row["samples_count"],
            _reached(row["samples_count"], row["samples_target"]),
        ]
        for row in shown.iter_rows(named=True)
    ]
    months = frame.filter((pl.col("scope") == "whole") & (pl.col("period") != "all"))
    monthly = [[row["period"], row["users_count"], row["samples_count"]] for row in months.iter_rows(named=True)]
    table = grid(("of", "name", "users", "of target", "samples", "of target"), rows)
    return f"{head}\n{grid(('month', 'users', 'samples'), monthly)}\n\n{table}"


@click.command("participation")
@archive_option
@click.option("--layer", help="Layer to show; the first by default. Every layer is written.")
@click.option("--targets", type=click.Path(path_type=Path, dir_okay=False),
              help="CSV with columns scope (whole, area, organisation), layer, key, users, samples.")  # fmt: skip
@out_option
@json_option
def command(path: Path, layer: str | None, targets: Path | None, out: Path | None, as_json: bool) -> None:
    """Count users and samples, whole, by area and by organisation, by month, against targets.

    \b
    haidang-analysis participation --archive ./archive
    haidang-analysis participation --archive ./archive --layer communes-2025 --targets targets.csv
    """
    wanted = participation.read_targets(targets)
    with Archive(path) as archive:
        layers = archive.layers()
        keys = [each.key for each in layers]
        if layer is not None and layer not in keys:
            raise ConfigError(f"--layer: Invalid layer {layer!r}. One of {', '.join(keys)}.")
        columns = [*participation.COLUMNS, *(area_column(key) for key in keys)]
        parts = []
        with archive.snapshot() as snapshot:
            for index, day in enumerate(snapshot.days):
                parts.append(participation.tallied(snapshot.frame(day, columns), day, keys))
                progress("days", index + 1, len(snapshot.days))
            if not parts:
                empty = pl.DataFrame(schema={**dict.fromkeys(columns, pl.String), "is_simulated": pl.Boolean})
                parts = [participation.tallied(empty, "1970-01-01", keys)]
        frame = participation.participation(pl.concat(parts), keys, wanted)
        archive.write_result("participation", frame)
    names = {area.key: area.name for each in layers for area in each.areas}
    emit(frame, _text(frame, names, layer or (keys[0] if keys else None)), as_json=as_json, out=out, layers=layers)
