"""`haidang-analysis compare`: two periods, areas or operators, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import polars as pl

from analysis import compare, rules, thresholds
from analysis.observations import day_records, read_day
from analysis.output import archive_option, json_option, progress
from analysis.tables import figure, grid
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.columns import area_column
from measurement.errors import ConfigError
from measurement.kpi import KPIS

_KEYS = ("operator", "technology", "area", "from", "until", "hour")


def read_side(text: str) -> dict[str, str]:
    """Read `key=value,key=value`.

    Examples
    --------
    >>> read_side('operator=Viettel,from=2026-05-01')
    {'operator': 'Viettel', 'from': '2026-05-01'}
    """
    found = {}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key.strip() not in _KEYS or not value:
            raise ConfigError(f"Invalid side {text!r}. key=value of {', '.join(_KEYS)}, joined by commas.")
        found[key.strip()] = value.strip()
    return found


def _chosen(frame: pl.DataFrame, wanted: dict[str, str], layer: str | None) -> pl.DataFrame:
    conditions = [pl.col(key) == wanted[key] for key in ("operator", "technology") if key in wanted]
    if "area" in wanted:
        if layer is None:
            raise ConfigError("Invalid side. An area needs --layer.")
        conditions.append(pl.col(area_column(layer)) == wanted["area"])
    if "from" in wanted:
        conditions.append(pl.col("day") >= wanted["from"])
    if "until" in wanted:
        conditions.append(pl.col("day") <= wanted["until"])
    if "hour" in wanted:
        first, _, last = wanted["hour"].partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            raise ConfigError(f"Invalid hour {wanted['hour']!r}. 18, or 18-22.")
        conditions.append(pl.col("hour").is_between(int(first), int(last or first)))
    return frame.filter(conditions) if conditions else frame


def _text(rows: Sequence[dict[str, object]], sides: Sequence[str]) -> str:
    lines = []
    for row in rows:
        change, low, high = (float(str(row[name])) for name in ("change", "low", "high"))
        scale, unit = (100.0, " %") if row["is_ratio"] else (1.0, "")
        shown = [(x - 1) * scale if row["is_ratio"] else x for x in (change, low, high)]
        text = "-" if np.isnan(change) else f"{shown[0]:+.3g}{unit} [{shown[1]:+.3g}, {shown[2]:+.3g}]"
        kpi = str(row["kpi"])
        ends = [
            figure(kpi, None if np.isnan(v) else v, None, None)
            for v in (float(str(row["first"])), float(str(row["second"])))
        ]
        lines.append([kpi, *ends, text, row["verdict"], row["first_tests"], row["second_tests"]])
    return grid(("kpi", sides[0] or "all", sides[1] or "all", "change", "second is", "tests", "tests"), lines)


@click.command("compare")
@archive_option
@click.argument("first")
@click.argument("second")
@click.option("--layer", help="Layer that areas are of.")
@click.option("--kpi", "kpis", multiple=True, type=click.Choice([kpi.id for kpi in KPIS]), help="KPI; all by default.")
@click.option("--country", default=thresholds.DEFAULT_COUNTRY, show_default=True, help="Thresholds: country or file.")
@click.option("--seed", default=1, show_default=True, help="Of the bootstrap.")
@json_option
def command(
    path: Path,
    first: str,
    second: str,
    layer: str | None,
    kpis: tuple[str, ...],
    country: str,
    seed: int,
    as_json: bool,
) -> None:
    """Compare two sides: difference of medians and shares, 95 % interval, verdict.

    A side is key=value,… with operator, technology, area, from, until (civil days) and hour (18-22).

    \b
    haidang-analysis compare --archive ./archive operator=Viettel operator=MobiFone
    haidang-analysis compare --archive ./archive until=2026-05-31 from=2026-06-01 --kpi downlink
    haidang-analysis compare --archive ./archive area=303,technology=4g area=311,technology=4g --layer districts-2024
    """
    limits = thresholds.load(country)
    wanted = [read_side(first), read_side(second)]
    parts: list[list[pl.DataFrame]] = [[], []]
    with Archive(path) as archive:
        zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
        if layer is not None and layer not in archive.layer_keys():
            raise ConfigError(f"--layer: Invalid layer {layer!r}. One of {', '.join(archive.layer_keys())}.")
        with archive.snapshot() as snapshot:
            for index, day in enumerate(snapshot.days):
                seen = read_day(day_records(snapshot, day), zone, limits).filter(rules.reason(rules.AREA).is_null())
                seen = seen.with_columns(pl.lit(day).alias("day"))
                for own, side in zip(parts, wanted, strict=True):
                    own.append(_chosen(seen, side, layer))
                progress("days", index + 1, len(snapshot.days))
    sides = [pl.concat(own) if own else None for own in parts]
    if any(one is None or one.is_empty() for one in sides):
        empty = [
            text or "all" for one, text in zip(sides, (first, second), strict=True) if one is None or one.is_empty()
        ]
        raise ConfigError(f"Invalid side {empty[0]!r}. It holds no test.")
    frames = [one for one in sides if one is not None]
    devices = sorted(set().union(*(one["probe_id"].unique().to_list() for one in frames)))
    rows: list[dict[str, object]] = []
    for kpi in kpis or [row.id for row in KPIS]:
        a, b = (compare.side(one, kpi, devices) for one in frames)
        if len(a.value) and len(b.value):
            found = compare.difference(a, b, kpi, np.random.default_rng(seed))
            rows.append({"kpi": kpi, **found._asdict(), "first_tests": len(a.value), "second_tests": len(b.value)})
    if as_json:
        for row in rows:
            row |= {
                name: None for name in ("first", "second", "change", "low", "high") if np.isnan(float(str(row[name])))
            }
            click.echo(json.dumps(row))
    else:
        click.echo(_text(rows, (first, second)))
