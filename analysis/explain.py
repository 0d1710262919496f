"""Why an area is rated as it is: samples, exclusions, each KPI's score with its weight and rule, and the limits."""

from __future__ import annotations

import polars as pl

from analysis.grading import verdicts
from analysis.results import ALL
from analysis.tables import figure, grid
from analysis.thresholds import Thresholds
from measurement.kpi import BY_ID


def _kpi_lines(group: pl.DataFrame, technology: str, thresholds: Thresholds) -> list[list[object]]:
    weights, targets = thresholds.weights("area"), thresholds.targets(technology)
    rows = {(row["kpi"], row["statistic"]): row for row in group.iter_rows(named=True)}
    measured = {kpi: rows[kpi, "score"]["value"] for kpi in weights if (kpi, "score") in rows}
    total = sum(weights[kpi] for kpi in measured)
    lines: list[list[object]] = []
    for kpi, weight in weights.items():
        target = targets.get(kpi)
        shown = BY_ID[kpi]
        if kpi not in measured or target is None:
            lines.append([kpi, "not measured: its weight goes to the others", "", "", f"{weight:g}", "0", ""])
            continue
        figures = [f"{s} {figure(kpi, rows[kpi, s]['value'], rows[kpi, s]['low'], rows[kpi, s]['high'])}"
                   for s in target.values if (kpi, s) in rows]  # fmt: skip
        on_target = "/".join(figure(kpi, value, None, None) for value in target.values.values())
        points = measured[kpi]
        lines.append(
            [kpi, f"{', '.join(figures)} {shown.shown_unit}", on_target, f"{points:.1f}", f"{weight:g}",
             f"{points * weight / total:.1f}", f"{target.id} [{target.evidence}]"]
        )  # fmt: skip
    return lines


def explain(
    ratings: pl.DataFrame,
    exclusions: pl.DataFrame,
    thresholds: Thresholds,
    layer: str,
    area: str,
    operator: str,
    period: str,
) -> str:
    """Return the explanation of an area for one operator and period, technology by technology."""
    own = ratings.filter(
        (pl.col("layer") == layer)
        & (pl.col("area") == area)
        & (pl.col("operator") == operator)
        & (pl.col("period") == period)
    )
    parts = []
    for technology in own["technology"].unique().sort().to_list():
        group = own.filter(pl.col("technology") == technology)
        score = group.filter((pl.col("kpi") == "score") & (pl.col("statistic") == "score"))
        if score.is_empty() or technology == ALL:
            continue
        row = score.row(0, named=True)
        weight = group.filter(pl.col("statistic") == "weight")["value"]
        head = (
            f"{technology}: score {figure('score', row['value'], row['low'], row['high'])}, "
            f"grade {row['grade'] or '-'}, "
            f"{row['status']}; {row['samples_count']} tests of {row['devices_count']} devices; "
            f"{(weight[0] if len(weight) else 0) * 100:.0f} % of the weights measured"
        )
        if row["needed_count"]:
            head += f"; {row['needed_count']} more tests needed"
        table = grid(
            ("kpi", "measured", "50 points at", "points", "weight", "adds", "rule"),
            _kpi_lines(group, technology, thresholds),
        )
        limits = [
            [v["limit_id"], figure(v["kpi"], v["limit"], None, None), figure(v["kpi"], v["value"], v["low"], v["high"]),
             v["verdict"], v["evidence"]]
            for v in verdicts(group, thresholds).iter_rows(named=True)
        ]  # fmt: skip
        parts.append(f"{head}\n\n{table}")
        if limits:
            parts.append(grid(("limit (indicative, chỉ dấu)", "bound", "measured", "verdict", "evidence"), limits))
    left_out = exclusions.filter(pl.col("scope") == "area")
    parts.append("Records of the whole archive left out of areas, by rule:")
    parts.append(grid(("rule", "records"), [list(r) for r in left_out.select("reason", "count").iter_rows()]))
    weighing = "One device, one vote, divided over where and on what it was used; intervals between devices, 95 %."
    return "\n\n".join([*parts, weighing])
