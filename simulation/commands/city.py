"""`haidang-simulation city`: records of a simulated city into an archive, a collector or a file, and their truth."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from measurement.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from simulation.city import City

EXAMPLES = """\b
Examples:
  haidang-simulation city --records 200000 --seed 1 --archive /tmp/city
  haidang-simulation city --records 5000 --seed 2 --communes 8 --out records.ndjson.gz
  haidang-simulation city --records 20000 --seed 3 --collector http://127.0.0.1:8080 --token-file token
  haidang-simulation city --records 300000 --seed 4 --archive /tmp/bad --truth /tmp/truth \\
      --degrade 11311:Viettel:0.7:2026-06-10T08
"""


class Progress:
    """A line on standard error, once a second at most."""

    def __init__(self, total: int, is_quiet: bool) -> None:
        """Start the clock."""
        self.total, self.is_quiet, self.done = total, is_quiet, 0
        self.began = self.shown = time.monotonic()

    def add(self, count: int) -> None:
        """Count records and show how far it is."""
        self.done += count
        now = time.monotonic()
        if self.is_quiet or (now - self.shown < 1 and self.done < self.total):
            return
        self.shown = now
        rate = self.done / max(now - self.began, 1e-9)
        click.echo(
            f"\r{self.done:,} of {self.total:,} records, {rate:,.0f} a second", err=True, nl=self.done >= self.total
        )


def _start(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise ConfigError(f"--start {text}: Invalid day. YYYY-MM-DD.") from None


def _communes(text: str | None) -> int | list[str] | None:
    if text is None:
        return None
    return int(text) if text.isdigit() and len(text) < 5 else [part for part in text.split(",") if part]


def _sinks(city: City, stack: ExitStack, options: dict[str, Any]) -> list[Callable[[pl.DataFrame], None]]:
    """Open every target that was asked for."""
    sinks: list[Callable[[pl.DataFrame], None]] = []
    if options["archive"] is not None:
        from archive.store import Archive

        store = stack.enter_context(Archive(options["archive"], create=True))
        if not store.layer_keys():
            store.set_layers(city.layers)
        store.set_base_stations(city.stations)
        sinks.append(lambda frame: (store.append_frame(frame), None)[1])
    if options["out"] is not None:
        from simulation.output import NdjsonFile

        sinks.append(stack.enter_context(NdjsonFile(options["out"])).write)
    if options["collector"] is not None:
        from simulation.output import CollectorClient

        sinks.append(stack.enter_context(CollectorClient(options["collector"], options["token_file"])).send)
    return sinks


def _truth(city: City, folder: Path, draws: int) -> dict[str, Any]:
    from simulation.truth import write_truth

    return write_truth(city, folder, draws)


@click.command("city", epilog=EXAMPLES)
@click.option("--records", type=click.IntRange(0), required=True, help="How many records.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Makes the city.")
@click.option(
    "--archive",
    "--lake",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="HAIDANG_ARCHIVE",
    help="Write straight into this archive.",
)
@click.option("--collector", metavar="URL", help="Send through the front door of a collector.")
@click.option(
    "--token-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Token for --collector."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write NDJSON, gzip where it ends in .gz; - for standard output.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3660),
    default=60,
    show_default=True,
    help="Spread the records over this many days.",
)
@click.option("--start", default="2026-05-01", show_default=True, metavar="DATE", help="First day.")
@click.option("--communes", metavar="N|CODES", help="Only N neighbouring communes, or those with these codes (comma).")
@click.option("--stations", type=click.IntRange(8, 100_000), help="Base stations. [default: 2400 for the whole city]")
@click.option(
    "--phones", type=click.IntRange(1, 10_000_000), help="Citizens' phones. [default: 30000 for the whole city]"
)
@click.option("--probes", type=click.IntRange(0, 100_000), help="Fixed probes. [default: 253 for the whole city]")
@click.option(
    "--skew",
    type=click.FloatRange(0, 4),
    default=1.0,
    show_default=True,
    help="Heavy users: deviation of ln(tests a phone).",
)
@click.option(
    "--urban-bias",
    type=click.FloatRange(-2, 2),
    default=0.0,
    show_default=True,
    help="Favour dense communes by density to this power.",
)
@click.option(
    "--quality-bias",
    type=click.FloatRange(-3, 3),
    default=0.0,
    show_default=True,
    help="Phones with good signal measure more (above 0) or less.",
)
@click.option("--holes", type=click.IntRange(0, 1000), default=0, show_default=True, help="Known coverage holes.")
@click.option(
    "--degrade",
    multiple=True,
    metavar="AREA:OPERATOR:FACTOR:FROM[:UNTIL]",
    help="A known degradation; may be repeated.",
)
@click.option(
    "--truth", type=click.Path(path_type=Path, file_okay=False), help="Write the true values into this folder."
)
@click.option(
    "--truth-draws", type=click.IntRange(1000), default=400_000, show_default=True, help="Citizens drawn for the truth."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON summary.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(records: int, seed: int, days: int, start: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Make records of a simulated Hải Phòng whose true quality is known. Each is marked simulated."""
    from measurement.gazetteer import layers
    from simulation.city import City, Scale
    from simulation.degradation import parse

    if (
        options["archive"] is None
        and options["collector"] is None
        and options["out"] is None
        and options["truth"] is None
    ):
        raise ConfigError("Nowhere to write. Give --archive, --collector, --out or --truth.")
    if options["collector"] is not None and options["token_file"] is None:
        raise ConfigError("--collector needs --token-file.")
    began = time.monotonic()
    first = _start(start)
    degradations = [parse(text, layers()) for text in options["degrade"]]
    chosen = _communes(options["communes"])
    part = 1.0 if chosen is None else (chosen if isinstance(chosen, int) else len(chosen)) / 114
    plain = City.scaled(part)
    scale = Scale(*(options[name] if options[name] is not None else getattr(plain, name) for name in Scale._fields))
    city = City(
        seed,
        communes=chosen,
        scale=scale,
        skew=options["skew"],
        urban_bias=options["urban_bias"],
        quality_bias=options["quality_bias"],
        holes=options["holes"],
        degradations=degradations,
    )
    progress = Progress(records, quiet or not sys.stderr.isatty())
    with ExitStack() as stack:
        sinks = _sinks(city, stack, options)
        if sinks:
            for frame in city.records(records, days=days, start=first):
                for sink in sinks:
                    sink(frame)
                progress.add(frame.height)
    summary: dict[str, Any] = {
        "records": progress.done,
        "seed": seed,
        "days": days,
        "start": first.isoformat(),
        "stations": len(city.stations),
        "communes": len(city.settlement.keys),
        "is_simulated": True,
    }
    if options["truth"] is not None:
        summary["truth"] = _truth(city, options["truth"], options["truth_draws"])
    summary["seconds"] = round(time.monotonic() - began, 2)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        made = f"{summary['records']:,} simulated records of {summary['communes']} communes"
        click.echo(f"{made} and {summary['stations']:,} stations in {summary['seconds']} s.")
