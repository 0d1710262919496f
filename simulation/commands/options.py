"""The options of `haidang-simulation city`, one row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


class Row(NamedTuple):
    """Names and settings of one option."""

    names: tuple[str, ...]
    settings: dict[str, Any]


def _row(*names: str, **settings: Any) -> Row:
    return Row(names, settings)


OPTIONS = (
    _row("--records", type=click.IntRange(0), required=True, help="How many records."),
    _row("--seed", type=click.IntRange(0), default=1, show_default=True, help="Makes the city."),
    _row("--archive", "--lake", type=_FOLDER, envvar="HAIDANG_ARCHIVE", help="Write straight into this archive."),
    _row("--collector", metavar="URL", help="Send through the front door of a collector."),
    _row("--token-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Token of role admin."),
    _row("--out", type=_FILE, help="Write NDJSON, gzip where it ends in .gz; - for standard output."),
    _row("--registry", type=_FILE, help="Write the base stations as CSV, as a collector's configuration reads it."),
    _row("--truth", type=_FOLDER, help="Write the true values into this folder."),
    _row("--truth-draws", type=click.IntRange(1000), default=400_000, show_default=True, help="Citizens drawn for it."),
    _row("--start", metavar="DATE", help="First day.  [default: 2026-05-01; to a collector, yesterday is last]"),
    _row("--days", type=click.IntRange(1, 3660), help="How many days.  [default: 60; to a collector 28]"),
    _row("--communes", metavar="N|CODES", help="Only N neighbouring communes, or those with these codes (comma)."),
    _row("--stations", type=click.IntRange(8, 100_000), help="Base stations.  [default: 2400 for the whole city]"),
    _row("--phones", type=click.IntRange(1, 10**7), help="Citizens' phones.  [default: 30000 for the whole city]"),
    _row("--probes", type=click.IntRange(0, 10**5), help="Fixed probes.  [default: 253 for the whole city]"),
    _row("--skew", type=click.FloatRange(0, 4), default=1.0, show_default=True,
         help="Heavy users: deviation of ln(tests a phone)."),
    _row("--urban-bias", type=click.FloatRange(-2, 2), default=0.0, show_default=True,
         help="Favour phones of dense communes, by density to this power."),
    _row("--quality-bias", type=click.FloatRange(-3, 3), default=0.0, show_default=True,
         help="Phones with good signal measure more (above 0) or less."),
    _row("--holes", type=click.IntRange(0, 1000), default=0, show_default=True, help="Known coverage holes."),
    _row("--degrade", multiple=True, metavar="AREA:OPERATOR:FACTOR:FROM[:UNTIL]",
         help="A known degradation, * for any area or operator; may be repeated."),
    _row("--json", "as_json", is_flag=True, help="Print a JSON summary."),
    _row("--quiet", is_flag=True, help="No progress."),
)  # fmt: skip


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command every option of the table."""
    for row in reversed(OPTIONS):
        function = click.option(*row.names, **row.settings)(function)
    return function
