"""`haidang-analysis plan`: where to measure next."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click
import polars as pl

from analysis import thresholds
from analysis.output import archive_option, json_option
from analysis.plan import forms, run
from analysis.plan import tasks as orders
from analysis.plan.choose import Terms
from analysis.plan.page import page
from archive.store import Archive
from measurement.errors import ConfigError

EXAMPLES = """\b
Examples:
  haidang-analysis plan --archive ./archive
  haidang-analysis plan --archive ./archive --from 106.683,20.861 --minutes 240 --page plan.html --gpx plan.gpx
  haidang-analysis plan --archive ./archive --tests 10 --tasks http://127.0.0.1:8080 --token-file admin.token
"""


def _start(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        longitude, latitude = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--from: Invalid position {text!r}. LONGITUDE,LATITUDE in degrees.") from None
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise ConfigError(f"--from: Invalid position {text!r}. Longitude ±180, latitude ±90; longitude comes first.")
    return longitude, latitude


@click.command("plan", epilog=EXAMPLES)
@archive_option
@click.option("--tests", "stops", default=20, show_default=True, type=click.IntRange(1, 500), help="Most stops.")
@click.option("--minutes", type=click.FloatRange(min=1), help="Most field time, with --from.")
@click.option("--from", "start", metavar="LONGITUDE,LATITUDE", help="Where the agent stands: makes a route.")
@click.option("--speed", default=25.0, show_default=True, type=click.FloatRange(1, 200), help="Speed of the way, km/h.")
@click.option("--layer", help="Layer of areas to publish. [default: the one with the most areas]")
@click.option("--operator", "operators", multiple=True, help="An operator the agent can test; may be repeated.")
@click.option("--country", default=thresholds.DEFAULT_COUNTRY, show_default=True, help="Thresholds: country or file.")
@click.option("--language", default="en", show_default=True, type=click.Choice(["en", "vi"]), help="Of the text.")
@click.option("--geojson", "geojson_path", type=click.Path(path_type=Path, dir_okay=False), help="Write GeoJSON.")
@click.option("--gpx", "gpx_path", type=click.Path(path_type=Path, dir_okay=False), help="Write GPX.")
@click.option("--page", "page_path", type=click.Path(path_type=Path, dir_okay=False), help="Write a page for phones.")
@click.option("--tasks", "tasks_to", metavar="URL|FILE", help="Post as tasks to this collector, or write them as JSON.")
@click.option(
    "--token-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Admin token for --tasks."
)
@click.option("--probe", help="Probe of the agent, for the stops of --tasks where no fixed probe stands.")
@click.option("--today", help="Civil day of the plan. [default: today]", metavar="DATE")
@json_option
def command(
    path: Path, stops: int, minutes: float | None, start: str | None, speed: float, layer: str | None,
    operators: tuple[str, ...], country: str, language: str, geojson_path: Path | None, gpx_path: Path | None,
    page_path: Path | None, tasks_to: str | None, token_file: Path | None, probe: str | None,
    today: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Plan the next tests: the places where a minute of field time shrinks the intervals that matter most."""
    if minutes is not None and start is None:
        raise ConfigError("--minutes: Invalid without --from. Field time needs a place to begin.")
    try:
        day = date.fromisoformat(today) if today else date.today()
    except ValueError:
        raise ConfigError(f"--today: Invalid day {today!r}. YYYY-MM-DD.") from None
    question = run.Question(stops, minutes, _start(start), operators, layer, Terms(speed_kmh=speed))
    with Archive(path) as archive:
        plan = run.plan(archive, question, thresholds.load(country), day)
        archive.write_result("plan", plan)
        fixed = orders.fixed_probes(archive) if tasks_to is not None else pl.DataFrame()
    for target, form in ((geojson_path, forms.geojson), (gpx_path, forms.gpx), (page_path, page)):
        if target is not None:
            _write(target, form(plan))
    if tasks_to is not None:
        _send(tasks_to, token_file, orders.tasks(plan, day, fixed, probe), plan.height)
    click.echo(plan.write_ndjson().rstrip("\n") if as_json else forms.text(plan, language))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"Invalid file {str(path)!r}. {error.strerror}.") from None


def _send(target: str, token_file: Path | None, found: list[dict[str, object]], stops: int) -> None:
    if len(found) < stops:
        click.echo(f"{stops - len(found)} stops have no fixed probe: --probe names the agent's.", err=True)
    if not target.startswith(("http://", "https://")):
        _write(Path(target), json.dumps(found, ensure_ascii=False, indent=1))
        return
    if token_file is None:
        raise ConfigError("--tasks: a collector wants --token-file, of an admin.")
    count = orders.post(target, token_file.read_text("utf-8").strip(), found)
    click.echo(f"{count} tasks posted to {target}", err=True)
