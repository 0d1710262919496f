"""`haidang-simulation city`: records of a simulated city into an archive, a collector or a file, and their truth."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from measurement.errors import ConfigError
from simulation.commands.options import options as with_options

if TYPE_CHECKING:
    import polars as pl

    from simulation.city import City

FIRST_DAY = date(2026, 5, 1)
DAYS = 60
LIVE_DAYS = 28
"""A collector doubts what started over 30 days before it was received."""
SENT_ROWS = 2000
"""What is sent between two looks at the progress."""
TARGETS = ("archive", "collector", "out", "registry", "truth")
EXAMPLES = """\b
Examples:
  haidang-simulation city --records 200000 --seed 1 --archive /tmp/city
  haidang-simulation city --records 5000 --seed 2 --communes 8 --out records.ndjson.gz
  haidang-simulation city --records 20000 --seed 3 --collector http://127.0.0.1:8080 --token-file token
  haidang-simulation city --records 0 --seed 3 --registry stations.csv
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
        now, is_last = time.monotonic(), self.done >= self.total
        if self.is_quiet or (now - self.shown < 1 and not is_last):
            return
        self.shown = now
        rate = self.done / max(now - self.began, 1e-9)
        click.echo(f"\r{self.done:,} of {self.total:,} records, {rate:,.0f} a second", err=True, nl=is_last)


def span(start: str | None, days: int | None, today: date, *, is_live: bool) -> tuple[date, int]:
    """Return the first day and the number of days; to a collector they end yesterday by default."""
    length = days if days is not None else LIVE_DAYS if is_live else DAYS
    if start is not None:
        try:
            return date.fromisoformat(start), length
        except ValueError:
            raise ConfigError(f"--start {start}: Invalid day. YYYY-MM-DD.") from None
    return (today - timedelta(days=length) if is_live else FIRST_DAY), length


def communes(text: str | None) -> int | list[str] | None:
    """Read --communes: a number below a thousand, or codes."""
    if text is None:
        return None
    return int(text) if text.isdigit() and len(text) <= 3 else [part for part in text.split(",") if part]


def _city(seed: int, given: dict[str, Any]) -> City:
    from measurement.gazetteer import layers
    from simulation.city import City, Scale
    from simulation.degradation import parse

    chosen = communes(given["communes"])
    whole = next(len(layer.areas) for layer in layers() if layer.key == "communes-2025")
    plain = City.scaled(1.0 if chosen is None else (chosen if isinstance(chosen, int) else len(chosen)) / whole)
    return City(
        seed,
        communes=chosen,
        scale=Scale._make(given[name] if given[name] is not None else getattr(plain, name) for name in Scale._fields),
        skew=given["skew"],
        urban_bias=given["urban_bias"],
        quality_bias=given["quality_bias"],
        holes=given["holes"],
        degradations=[parse(text, layers()) for text in given["degrade"]],
    )


def _sinks(city: City, stack: ExitStack, given: dict[str, Any]) -> list[Callable[[pl.DataFrame], object]]:
    """Open every target that takes records."""
    from simulation.output import CollectorClient, NdjsonFile

    sinks: list[Callable[[pl.DataFrame], object]] = []
    if given["archive"] is not None:
        from archive.store import Archive

        store = stack.enter_context(Archive(given["archive"], create=True))
        if not store.layer_keys():
            store.set_layers(city.layers)
        store.set_base_stations(city.stations)
        sinks.append(store.append_frame)
    if given["out"] is not None:
        sinks.append(stack.enter_context(NdjsonFile(given["out"])).write)
    if given["collector"] is not None:
        sinks.append(stack.enter_context(CollectorClient(given["collector"], given["token_file"])).send)
    return sinks


def _make(city: City, records: int, first: date, days: int, given: dict[str, Any]) -> int:
    progress = Progress(records, given["quiet"] or not sys.stderr.isatty())
    with ExitStack() as stack:
        sinks = _sinks(city, stack, given)
        # One frame is written while the next is made, and no more: memory stays bounded.
        writer = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        writing: Future[int] | None = None
        slice_rows = SENT_ROWS if given["collector"] is not None else None
        for frame in city.records(records, days=days, start=first) if sinks else ():
            for part in frame.iter_slices(slice_rows or frame.height):
                if writing is not None:
                    progress.add(writing.result())
                writing = writer.submit(_write, part, sinks)
        if writing is not None:
            progress.add(writing.result())
    return progress.done


def _write(frame: pl.DataFrame, sinks: list[Callable[[pl.DataFrame], object]]) -> int:
    for sink in sinks:
        sink(frame)
    return frame.height


@click.command("city", epilog=EXAMPLES)
@with_options
def command(records: int, seed: int, days: int | None, start: str | None, as_json: bool, **given: Any) -> None:
    """Make records of a simulated Hải Phòng whose true quality is known. Each is marked simulated."""
    if all(given[target] is None for target in TARGETS):
        raise ConfigError(f"Nowhere to write. Give one of {', '.join('--' + target for target in TARGETS)}.")
    if given["collector"] is not None and given["token_file"] is None:
        raise ConfigError("--collector needs --token-file.")
    from simulation.degradation import LOCAL

    began = time.monotonic()
    first, length = span(start, days, datetime.now(LOCAL).date(), is_live=given["collector"] is not None)
    city = _city(seed, given)
    summary: dict[str, Any] = {
        "records": _make(city, records, first, length, given),
        "seed": seed,
        "days": length,
        "start": first.isoformat(),
        "stations": len(city.stations),
        "communes": len(city.settlement.keys),
        "is_simulated": True,
    }
    if given["registry"] is not None:
        from simulation.output import write_registry

        write_registry(city.stations, given["registry"])
    if given["truth"] is not None:
        from simulation.truth import write_truth

        click.echo(f"Drawing the truth from {given['truth_draws']:,} citizens …", err=True)
        summary["truth"] = write_truth(city, given["truth"], given["truth_draws"], first, length)
    summary["seconds"] = round(time.monotonic() - began, 2)
    if as_json:
        click.echo(json.dumps(summary))
        return
    made = f"{summary['records']:,} simulated records of {summary['communes']} communes"
    click.echo(f"{made} and {summary['stations']:,} stations in {summary['seconds']} s.")
