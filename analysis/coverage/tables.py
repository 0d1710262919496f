"""What the surfaces say of themselves: validation as rows, and as text for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analysis import results
from analysis.coverage.run import Drawn
from analysis.coverage.validation import HELD_OUT_M
from analysis.tables import grid


def validation(drawn: Sequence[Drawn]) -> pl.DataFrame:
    """Return the `coverage_validation` rows of some surfaces."""
    rows = [
        {
            "operator": one.operator,
            "technology": one.technology,
            "kpi": one.kpi.kpi,
            **report._asdict(),
            "family": one.surface.model.family,
            "range_m": one.surface.model.range_m,
            "nugget": one.surface.model.nugget,
            "sill": one.surface.model.sill,
            "trend_slope": one.surface.trend.slope,
            "interval_factor": float(one.surface.widening.at(np.array([HELD_OUT_M]))[0]),
            "is_simulated": one.is_simulated,
        }
        for one in drawn
        if one.surface is not None
        for report in one.surface.reports
    ]
    return pl.DataFrame(rows, schema=results.schema("coverage_validation"))


def _unit(kpi: str) -> str:
    return "ln" if kpi == "downlink" else "dB"


def text(drawn: Sequence[Drawn], covered: pl.DataFrame) -> str:
    """Write one line a surface and scheme: errors with what was held out, intervals, what is masked."""
    lines: list[list[str]] = []
    notes: list[str] = []
    for one in drawn:
        name = [one.operator, one.technology, one.kpi.kpi]
        if one.surface is None:
            notes.append(f"{' '.join(name)}: {one.samples_count} samples in too few places for a surface.")
            continue
        own = covered.filter(
            (pl.col("operator") == one.operator)
            & (pl.col("technology") == one.technology)
            & (pl.col("kpi") == one.kpi.kpi)
        )
        masked = 100 * float(own["is_masked"].cast(pl.Float64).sum()) / max(own.height, 1)
        head = [
            *name,
            f"{one.samples_count:,}",
            f"{len(one.surface.blocks.values):,}",
            f"{own.height:,}",
            f"{masked:.0f} %",
        ]
        for report in one.surface.reports:
            gain = 100 * (1 - report.rmse / report.idw_rmse) if report.idw_rmse else 0.0
            unit = _unit(one.kpi.kpi)
            lines.append(
                [*head, report.scheme, f"{report.rmse:.2f} {unit}", f"{report.idw_rmse:.2f} {unit}", f"{gain:+.0f} %",
                 f"{100 * report.coverage:.1f} %"]
            )  # fmt: skip
            head = [""] * len(head)
        model = one.surface.model
        if model.ratio != 1:
            far = f"{model.ratio:g} times as far along {model.bearing_deg:.0f}° as across it"
            notes.append(f"{' '.join(name)}: values stay alike {far}.")
        if not one.surface.reports:
            lines.append([*head, "too few blocks to validate", "-", "-", "-", "-"])
    header = (
        "operator",
        "class",
        "kpi",
        "samples",
        "blocks",
        "cells",
        "masked",
        "held out",
        "error",
        "IDW",
        "gain",
        "in 95 %",
    )
    return "\n".join([grid(header, lines) if lines else "No surface.", *notes])


def holes_text(holes: pl.DataFrame, names: dict[tuple[str, str], str], most: int = 20) -> str:
    """Write the holes, the one with most people first."""
    if holes.is_empty():
        return "No hole: nowhere do tests fail beyond one in ten with enough evidence."
    rows = []
    for row in holes.head(most).iter_rows(named=True):
        people = "-" if row["people"] is None else f"{row['people']:,.0f}"
        metres = "-" if row["nearest_bts_m"] is None else f"{row['nearest_bts']} {row['nearest_bts_m']:,.0f} m"
        rows.append(
            [row["operator"], row["technology"], names.get((row["layer"], row["area"]), "-"),
             f"{row['area_km2']:.1f} km²", people, f"{row['failures']}/{row['tests']}", f"{row['p_value']:.1g}", metres,
             row["neighbours"] or "-"]
        )  # fmt: skip
    header = ("operator", "class", "hole in", "surface", "people", "failed", "p", "nearest station", "better there")
    more = f"\n{holes.height - most} more holes in the table." if holes.height > most else ""
    return grid(header, rows) + more
