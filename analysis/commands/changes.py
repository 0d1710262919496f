"""`haidang-analysis changes`: what changed in each area since the month before."""

from __future__ import annotations

import re
from pathlib import Path

import click
import polars as pl

from analysis import changes
from analysis.compare import BETTER, WORSE
from analysis.output import archive_option, emit, json_option, out_option
from analysis.results import ALL
from analysis.tables import figure, grid
from archive.store import Archive
from measurement.errors import ConfigError

_SHOWN = 40


def _change(row: dict[str, object]) -> str:
    change, low, high = (float(str(row[name])) for name in ("change", "low", "high"))
    if row["is_ratio"]:
        return f"{100 * (change - 1):+.3g} % [{100 * (low - 1):+.3g}, {100 * (high - 1):+.3g}]"
    return f"{change:+.3g} [{low:+.3g}, {high:+.3g}]"


def _end(kpi: str, value: float) -> str:
    return f"{value:.1f}" if kpi == changes.SCORE else figure(kpi, value, None, None)


def _text(frame: pl.DataFrame, names: dict[str, str]) -> str:
    if frame.is_empty():
        return "Nothing to compare: no two months are rated with enough tests."
    clear = frame.filter(pl.col("verdict").is_in([BETTER, WORSE])).sort("q_value", "layer", "area")
    rows = [
        [
            row["layer"], names.get(row["area"], row["area"]), row["operator"], row["technology"], row["kpi"],
            *(_end(row["kpi"], row[side]) for side in ("first", "second")), _change(row), row["verdict"],
        ]
        for row in clear.head(_SHOWN).iter_rows(named=True)
    ]  # fmt: skip
    before, after = frame.select("before", "period").row(0)
    told = f"{after} against {before}: {clear.height:,} of {frame.height:,} comparisons show a change"
    rest = f"; the {_SHOWN} surest" if clear.height > _SHOWN else ""
    heads = ("layer", "area", "operator", "class", "kpi", before, after, "change", "now")
    return f"{told}{rest}.\n\n{grid(heads, rows)}"


@click.command(
    "changes",
    epilog="""\b
Examples:
  haidang-analysis changes --archive ./archive
  haidang-analysis changes --archive ./archive --month 2026-06 --operator Viettel --json""",
)
@archive_option
@click.option("--month", help="The later month, YYYY-MM. [default: the newest]")
@click.option("--operator", help=f"Show this operator; {ALL} for all together. Every one is written.")
@out_option
@json_option
def command(path: Path, month: str | None, operator: str | None, out: Path | None, as_json: bool) -> None:
    """Compare each area with itself a month before: difference, 95 % interval, verdict.

    From the ratings written last; `rate` writes the newest month's by itself.
    """
    if month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ConfigError(f"--month: Invalid month {month!r}. YYYY-MM.")
    with Archive(path) as archive:
        ratings = archive.read_result("area_ratings")
        if ratings is None:
            raise ConfigError(f"Invalid archive {str(path)!r}. No ratings; run haidang-analysis rate first.")
        if month is not None and changes.two_months(ratings["period"].unique(), month) is None:
            raise ConfigError(f"--month: Invalid month {month!r}. It and one before it must be rated.")
        frame = changes.changes(ratings, month)
        archive.write_result("changes", frame)
        layers = archive.layers()
    names = {area.key: area.name for each in layers for area in each.areas}
    shown = frame if operator is None else frame.filter(pl.col("operator") == operator)
    emit(shown, _text(shown, names), as_json=as_json, out=out, layers=layers)
