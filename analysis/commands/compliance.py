"""`haidang-analysis compliance`: verdicts against the limits of the regulations."""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from analysis import compliance, results, thresholds
from analysis.observations import day_records
from analysis.output import archive_option, emit, json_option, out_option, progress
from analysis.tables import figure, grid
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.errors import ConfigError
from measurement.kpi import BY_ID


def _text(frame: pl.DataFrame, names: dict[str, str]) -> str:
    rows = [
        [
            compliance.TITLES[row["kind"]],
            row["campaign"] or names.get(row["area"], row["area"]),
            row["operator"],
            row["technology"],
            row["limit_id"],
            ("≥ " if row["bound"] == "at_least" else "≤ ") + figure(row["kpi"], row["limit"], None, None),
            figure(row["kpi"], row["value"], row["low"], row["high"]),
            BY_ID[row["kpi"]].shown_unit,
            row["samples_count"],
            row["verdict"],
            row["missing"],
        ]
        for row in frame.iter_rows(named=True)
    ]
    header = ("kind", "of", "operator", "class", "limit", "bound", "figure", "unit", "tests", "verdict", "missing")
    return grid(header, rows)


@click.command("compliance")
@archive_option
@click.option("--layer", help="Layer of the indicative verdicts; the first by default.")
@click.option("--period", default="all", show_default=True, help="Period of the indicative verdicts.")
@click.option("--country", default=thresholds.DEFAULT_COUNTRY, show_default=True, help="Limits: country or file.")
@out_option
@json_option
def command(path: Path, layer: str | None, period: str, country: str, out: Path | None, as_json: bool) -> None:
    """Hold certified campaigns, and areas as rated last, against the limits: PASS, FAIL or INDETERMINATE.

    Only campaigns in mode `certified` that meet every quota are certified; all else is indicative («chỉ dấu»).

    \b
    haidang-analysis compliance --archive ./archive
    haidang-analysis compliance --archive ./archive --layer districts-2024 --out verdicts.csv
    """
    limits = thresholds.load(country)
    with Archive(path) as archive:
        zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
        layers = archive.layers()
        keys = [each.key for each in layers]
        if layer is not None and layer not in keys:
            raise ConfigError(f"--layer: Invalid layer {layer!r}. One of {', '.join(keys)}.")
        samples = []
        with archive.snapshot() as snapshot:
            for index, day in enumerate(snapshot.days):
                records = day_records(snapshot, day)
                samples.append(compliance.certified_samples(records, zone, limits, limits.quota[0]))
                progress("days", index + 1, len(snapshot.days))
        found = [compliance.certified(pl.concat(samples), limits)] if samples else []
        ratings = archive.read_result("area_ratings")
        if ratings is not None and keys:
            own = ratings.filter((pl.col("layer") == (layer or keys[0])) & (pl.col("period") == period))
            found.append(compliance.indicative(own, limits))
        elif ratings is None:
            click.echo("No area_ratings yet: run haidang-analysis rate for indicative verdicts.", err=True)
        frame = pl.concat(found) if found else pl.DataFrame(schema=results.schema("compliance"))
        archive.write_result("compliance", frame)
    names = {area.key: area.name for each in layers for area in each.areas}
    emit(frame, _text(frame, names), as_json=as_json, out=out, layers=layers)
