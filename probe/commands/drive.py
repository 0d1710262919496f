"""`haidang-probe drive`: drive test, and export of what it kept."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from measurement.errors import ConfigError
from probe.agent.clock import Clock, CompressedClock, SystemClock
from probe.agent.lines import amount, span
from probe.drive.export import FORMATS
from probe.drive.logbook import SUFFIX, Logbook
from probe.settings import Settings, load

if TYPE_CHECKING:
    from probe.drive.drive import Drive

DELIVERY_TIMEOUT_S = 5.0  # a collector that hangs must not leave a hole in the drive

_log = logging.getLogger("haidang.drive")


@click.group("drive", invoke_without_command=True)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; else /etc/haidang/probe.toml.")
@click.option("--peer", "peers", multiple=True, metavar="URL", help="Peer to measure against.")
@click.option("--collector", metavar="URL", help="Where records go at the end; without one they stay in the spool.")
@click.option("--token-file", type=click.Path(path_type=Path), help="What `enrol` wrote, or a bare token.")
@click.option("--probe-id", help="Who measures.")
@click.option("--spool", "spool_path", type=click.Path(path_type=Path), help="The spool file.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("drives"), show_default=True, help="Folder of drives."
)
@click.option("--name", help="Name of the drive; the records carry it as their campaign.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with this drive.")
@click.option(
    "--segment", type=click.FloatRange(2, 300), default=10.0, show_default=True, help="Seconds of a latency record."
)
@click.option("--cycle", type=click.FloatRange(30, 86_400), default=60.0, show_default=True,
              help="Seconds from throughput test to throughput test; QCVN asks for 30 at least.")  # fmt: skip
@click.option("--no-throughput", is_flag=True, help="Radio, position and latency only.")
@click.option("--pause-below", type=click.FloatRange(0), metavar="KM/H", help="Measure only while faster than this.")
@click.option("--duration", type=click.FloatRange(0), metavar="SECONDS", help="Stop by itself.")
@click.option("--test-bytes", type=click.IntRange(0), help="Bytes a throughput test may cost; 0 is no limit.")
@click.option(
    "--replay", type=click.Path(path_type=Path, exists=True), help="Drive along a G-NetTrack log instead; simulated."
)
@click.option("--replay-speed", type=click.FloatRange(1, 200), default=1.0, help="Compress the time of a replay.")
@click.option("--quiet", is_flag=True, help="No display; log lines only.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Measure while moving: radio and position each second, latency all the time, throughput now and then.

    Needs no network on the way: everything is kept at once, and reported at the end where a collector is known.

    \b
    haidang-probe drive --peer https://peer.example --name "QL5 morning"
    haidang-probe drive --peer https://peer.example --pause-below 5 --cycle 45
    haidang-probe drive --resume drives/2026-07-01T081500.drive --peer https://peer.example
    haidang-probe drive export drives/2026-07-01T081500.drive --format gpx > track.gpx
    """
    if context.invoked_subcommand is None:
        _drive(given)


@command.command("export")
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--format", "name", type=click.Choice(list(FORMATS)), default="csv", show_default=True)
def export(path: Path, name: str) -> None:
    """Write a drive to standard output as CSV, GeoJSON or GPX."""
    with Logbook(path) as logbook:
        FORMATS[name](logbook, sys.stdout)


@command.command("list")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("drives"), show_default=True, help="Folder of drives."
)
def listed(out: Path) -> None:
    """List the drives of a folder."""
    for path in sorted(out.glob(f"*{SUFFIX}")):
        with Logbook(path) as logbook:
            counts = logbook.counts()
            click.echo(f"{path}  {logbook.fact('name') or ''}  {counts['points']} s, {counts['results']} records")


def _drive(given: dict[str, Any]) -> None:
    from probe.commands.run import credentials_of

    shown = not given["quiet"] and sys.stdout.isatty()
    settings = _settings(given)
    logging.basicConfig(
        level=logging.ERROR if shown else logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    clock: Clock = CompressedClock(given["replay_speed"]) if given["replay"] else SystemClock()
    with _logbook(given, clock.now()) as logbook:
        drive, finish = _prepared(settings, given, logbook, clock, credentials_of(settings))
        try:
            drive.recorder.start()
            worker = threading.Thread(target=_measuring, args=(drive,), name="drive")
            worker.start()
            _attend(drive, worker, logbook.fact("name") or logbook.path.stem, given["duration"], shown)
        finally:
            finish()
        if drive.error:
            raise ConfigError(drive.error)


def _settings(given: dict[str, Any]) -> Settings:
    flags = {
        "probe_id": given["probe_id"],
        "collector": given["collector"],
        "token_file": None if given["token_file"] is None else str(given["token_file"]),
        "peers": list(given["peers"]) or None,
        "campaign": given["name"],
        "spool": {"path": None if given["spool_path"] is None else str(given["spool_path"])},
        "budget": {"test_bytes": given["test_bytes"]},
    }
    if given["replay"]:
        for source in ("radio", "position"):
            flags[source] = {"source": "none"}
    settings = load(given["config"], os.environ, flags)
    if not settings.peers:
        raise ConfigError("peers: Invalid []. At least one; give --peer or set it in the configuration.")
    return settings


def _logbook(given: dict[str, Any], now: datetime) -> Logbook:
    if given["resume"] is not None:
        return Logbook(given["resume"])
    logbook = Logbook(given["out"] / f"{now.astimezone():%Y-%m-%dT%H%M%S}{SUFFIX}", create=True)
    logbook.set_fact("name", given["name"] or logbook.path.stem)
    logbook.set_fact("is_simulated", "true" if given["replay"] else "false")
    return logbook


def _prepared(settings: Settings, given: dict[str, Any], logbook: Logbook, clock: Clock, credentials: Any) -> Any:
    """Open sources, spool and reporter; return the drive, and what gives them back and tells the end."""
    from probe.drive.drive import Drive, Rules
    from probe.drive.measure import DriveInstrument
    from probe.drive.recorder import Recorder
    from probe.settings import default_probe_id
    from probe.sources import open_position, open_radio
    from probe.spool.spool import Spool

    if given["replay"]:
        from probe.radio.gnettrack import Replay

        radio: Any = Replay(given["replay"], monotonic=clock.monotonic)
        position: Any = radio
    else:
        radio, position = open_radio(settings.radio), open_position(settings.position)
    probe_id = settings.probe_id or (credentials and credentials.probe_id) or default_probe_id()
    spool = Spool(settings.spool.path, max_bytes=settings.spool.max_bytes)
    own_clock = clock if not isinstance(clock, SystemClock) else SystemClock()
    rules = Rules(
        given["segment"], given["cycle"], not given["no_throughput"],
        None if given["pause_below"] is None else given["pause_below"] / 3.6, given["replay"] is not None,
    )  # fmt: skip
    instrument = DriveInstrument(settings, probe_id, logbook.fact("name"), given["replay_speed"], clock)
    recorder = Recorder(radio, position, logbook.add_point, clock=own_clock)
    client = _client(settings, credentials)
    drive = Drive(
        recorder, logbook, spool, instrument, rules, clock=clock, reporter=_reporter(client, spool),
        stops=_stops(client, spool, clock, settings.tasks_interval_s),
    )  # fmt: skip

    def finish() -> None:
        recorder.stop()
        for source in {id(s): s for s in (radio, position) if s is not None}.values():
            source.close()
        _tell(drive, settings, credentials)
        spool.close()

    return drive, finish


def _client(settings: Settings, credentials: Any) -> Any:
    """Return the collector's client, None where no collector is known."""
    from probe.collector_client import CollectorClient

    url = settings.collector or (credentials and credentials.collector)
    if not url or credentials is None:
        return None
    ca_file = Path(settings.ca_file) if settings.ca_file else None
    return CollectorClient(url, credentials.token, ca_file=ca_file, timeout_s=DELIVERY_TIMEOUT_S)


def _reporter(client: Any, spool: Any) -> Any:
    """Return what delivers, None where no collector is known."""
    from probe.report import Reporter

    return None if client is None else Reporter(spool, client)


def _stops(client: Any, spool: Any, clock: Clock, interval_s: float) -> Any:
    """Return the planned stops of this probe: those known from before where no collector is."""
    from probe.agent.tasks import fetch
    from probe.drive.stops import Stops

    return Stops(spool, None if client is None else lambda: fetch(client), clock=clock, interval_s=interval_s)


def _measuring(drive: Drive) -> None:
    """Run the drive; what is wrong ends it with one line, not with a thread that is gone."""
    try:
        drive.run()
    except ConfigError as error:
        drive.error = str(error)
        drive.stop()


def _attend(drive: Drive, worker: threading.Thread, name: str, duration_s: float | None, shown: bool) -> None:
    """Show the drive, obey keys and signals, until it ends."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: drive.stop())
    if shown:
        from probe.drive.attend import attend

        attend(drive, name, duration_s)
    while worker.is_alive():
        if duration_s is not None and drive.clock.monotonic() - drive.started_s >= duration_s:
            drive.stop()
        worker.join(timeout=0.1)


def _tell(drive: Drive, settings: Settings, credentials: Any) -> None:
    """Report what waits where a collector is known, and say what was kept."""
    counts = drive.logbook.counts()
    click.echo(
        f"{drive.logbook.path}: {counts['points']} s, {drive.recorder.distance_m / 1000:.2f} km,"
        f" {drive.record_count} records ({drive.throughput_count} throughput, {drive.failure_count} failed),"
        f" {counts['notes']} notes, {span(drive.clock.monotonic() - drive.started_s)}",
        err=True,
    )
    reporter = _reporter(_client(settings, credentials), drive.spool)
    if reporter is not None:
        delivery = reporter.deliver()
        click.echo(
            f"reported: {delivery.accepted_count} kept by the collector, {delivery.refused_count} refused", err=True
        )
    depth = drive.spool.depth()
    if depth.waiting_count:
        click.echo(f"{depth.waiting_count} records ({amount(depth.byte_count)}) wait in {drive.spool.path}", err=True)
