"""`haidang-analysis sites`: availability of fixed lines."""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from analysis import sites
from analysis.output import archive_option, emit, json_option, out_option, progress
from analysis.tables import figure, grid
from archive.store import Archive
from measurement.columns import area_column


def _text(frame: pl.DataFrame) -> str:
    connected = int(frame["is_connected"].sum())
    head = f"{connected} of {frame.height} offices connected"
    worst = frame.sort("availability").head(20)
    rows = [
        [
            row["organisation"] or row["probe_id"],
            row["area"] or "-",
            row["operator"] or "-",
            row["technology"] or "-",
            "yes" if row["is_connected"] else "NO",
            f"{row['availability'] * 100:.2f}",
            f"{row['availability_low'] * 100:.2f}-{row['availability_high'] * 100:.2f}",
            row["outages_count"],
            f"{row['longest_outage_s'] / 3600:.1f}",
            f"{row['silent_s'] / 3600:.1f}",
            figure("downlink", row["downlink_median_bps"], None, None),
            figure("latency", row["latency_median_ms"], None, None),
            row["tests_count"],
        ]
        for row in worst.iter_rows(named=True)
    ]
    header = ("office", "area", "operator", "line", "connected", "available %", "between %", "outages", "longest h",
              "silent h", "downlink Mbit/s", "latency ms", "tests")  # fmt: skip
    title = "" if frame.height <= len(rows) else f"; the {len(rows)} least available:"
    return f"{head}{title}\n\n{grid(header, rows)}"


@click.command("sites")
@archive_option
@out_option
@json_option
def command(path: Path, out: Path | None, as_json: bool) -> None:
    """Say how available the lines of fixed probes were, and how many offices are connected.

    \b
    haidang-analysis sites --archive ./archive
    haidang-analysis sites --archive ./archive --out sites.csv
    """
    with Archive(path) as archive:
        keys = archive.layer_keys()
        columns = [*sites.COLUMNS, *(area_column(key) for key in keys[:1])]
        parts = []
        with archive.snapshot() as snapshot:
            for index, day in enumerate(snapshot.days):
                parts.append(sites.fixed_tests(snapshot.frame(day, columns)))
                progress("days", index + 1, len(snapshot.days))
        tests = pl.concat(parts) if parts else pl.DataFrame()
        frame = sites.sites(tests, keys[0] if keys else None)
        archive.write_result("sites", frame)
        layers = archive.layers()
    emit(frame, _text(frame), as_json=as_json, out=out, layers=layers)
