"""`haidang-analysis degraded`: what is worse than its own past."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from analysis import thresholds
from analysis.degraded import events as kept
from analysis.degraded import run
from analysis.degraded.baseline import FEWEST_DAYS
from analysis.degraded.holidays import CALENDARS
from analysis.output import archive_option, emit, json_option, out_option, progress
from analysis.tables import grid
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.errors import ConfigError
from measurement.geography import Layer
from measurement.kpi import BY_ID

EXAMPLES = """\b
Examples:
  haidang-analysis degraded --archive ./archive
  haidang-analysis degraded --archive ./archive --watch 120
  haidang-analysis degraded --archive ./archive --now 2026-06-10T14:00 --json
"""


def _instant(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--now: Invalid time {text!r}. ISO 8601 such as 2026-06-10T14:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _now(archive: Archive, text: str | None, zone: ZoneInfo) -> datetime:
    if text == "newest":
        return run.newest(archive) or datetime.now(UTC)
    return _instant(text, zone) if text else datetime.now(UTC)


def text_of(seen: run.Seen, now: datetime, zone: ZoneInfo, layers: list[Layer]) -> str:
    """Write what is degraded: worst first."""
    history = (now - seen.first) if seen.first else timedelta(0)
    lines = [f"{seen.tests_count:,} tests of {history.days} days until {now.astimezone(zone):%Y-%m-%d %H:%M}."]
    if history < timedelta(FEWEST_DAYS):
        return "\n".join([*lines, f"Learning: {FEWEST_DAYS} days of history are needed before anything is judged."])
    if not seen.events:
        return "\n".join([*lines, "Nothing is degraded."])
    names = {(layer.key, area.key): area.name for layer in layers for area in layer.areas}
    rows = []
    for event in sorted(seen.events, key=lambda e: (-e.severity, -e.drop_ratio)):
        stream = event.stream
        unit = "%" if BY_ID[stream.kpi].is_log else " points"
        rows.append([
            ("resolved", "minor", "MAJOR")[event.severity], stream.layer,
            names.get((stream.layer, stream.area), stream.area),
            stream.operator, stream.technology, stream.kpi,
            f"{100 * event.drop_ratio:.0f} [{100 * event.low:.0f}, {100 * event.high:.0f}]{unit}",
            f"{event.since.astimezone(zone):%m-%d %H:%M}",
            f"{event.samples_count}/{event.devices_count}",
            event.blame if event.blamed is None else f"{event.blame} {event.blamed}",
            event.resolution or "",
        ])  # fmt: skip
    header = (
        "severity", "layer", "area", "operator", "class", "kpi", "worse by", "since", "tests/devices", "blame", "",
    )  # fmt: skip
    return "\n".join([*lines, grid(header, rows)])


@click.command("degraded", epilog=EXAMPLES)
@archive_option
@click.option("--watch", type=click.FloatRange(1, 86_400), metavar="SECONDS", help="Look again and again. [usual: 120]")
@click.option(
    "--now",
    "now_text",
    metavar="TIME",
    help="Look as of this time (local where it has no zone), or 'newest' for the newest test.",
)
@click.option("--country", default=thresholds.DEFAULT_COUNTRY, show_default=True, help="Thresholds: country or file.")
@click.option("--holidays", type=click.Choice(sorted(CALENDARS)), default="vn", show_default=True,
              help="Calendar of days that count as Sundays and are not learnt.")  # fmt: skip
@json_option
@out_option
def command(
    path: Path, watch: float | None, now_text: str | None, country: str, holidays: str, as_json: bool, out: Path | None
) -> None:  # fmt: skip
    """Find areas, base stations and operators that are worse than their own past; write the tables."""
    if watch and now_text:
        raise ConfigError("--now: Invalid with --watch. It looks at the present.")
    limits = thresholds.load(country)
    with Archive(path) as archive:
        zone = ZoneInfo(archive.setting("time_zone") or DEFAULT_TIME_ZONE)
        watcher = run.Watcher(archive, limits, progress=progress, calendar=CALENDARS[holidays])
        while True:
            now = _now(archive, now_text, zone)
            began = time.monotonic()
            seen = watcher.look(now)
            layers = archive.layers()
            emit(kept.table(seen.events), text_of(seen, now, zone, layers), as_json=as_json, out=out, layers=layers)
            if watch is None:
                return
            time.sleep(max(watch - (time.monotonic() - began), 1.0))
