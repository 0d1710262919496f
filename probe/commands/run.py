"""`haidang-probe run`: the agent."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from measurement.record import Record
from measurement.vocabulary import Mode
from probe.agent.agent import Agent
from probe.agent.clock import SystemClock
from probe.agent.quiet import default_interface, interface_bytes
from probe.agent.reload import Reload
from probe.agent.watchdog import Watchdog
from probe.collector_client import CollectorClient
from probe.report import Reporter
from probe.settings import DEFAULT_FILE, Credentials, Settings, default_probe_id, load, read_credentials
from probe.spool.spool import Spool

_log = logging.getLogger("haidang.agent")

_OPTIONS = (
    click.option("--config", type=click.Path(path_type=Path), help="TOML file; else /etc/haidang/probe.toml."),
    click.option(
        "--peer", "peers", multiple=True, metavar="URL", help="Peer to measure against; of several one at random."
    ),
    click.option("--collector", metavar="URL", help="Where records go. Without one they stay in the spool."),
    click.option("--token-file", type=click.Path(path_type=Path), help="What `enrol` wrote, or a bare token."),
    click.option("--ca-file", help="Certificates to trust instead of the system's."),
    click.option("--probe-id", help="Who measures; by default what `enrol` was told."),
    click.option("--spool", "spool_path", type=click.Path(path_type=Path), help="The spool file."),
    click.option("--campaign", help="Name that the records carry."),
    click.option("--test-bytes", type=click.IntRange(0), help="Bytes a test may cost; 0 is no limit."),
    click.option("--once", is_flag=True, help="Test once, report, end."),
    click.option("--count", type=click.IntRange(1), help="Test that many times, --interval apart, report, end."),
    click.option(
        "--interval",
        type=click.FloatRange(0),
        metavar="SECONDS",
        help="From test to test with --count (30); else the mean.",
    ),
    click.option("--metrics-port", type=click.IntRange(0, 65_535), help="Local Prometheus endpoint; 0 is none."),
    click.option("--json", "as_json", is_flag=True, help="Print each record as a JSON line on standard output."),
)


def options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command every option of `run`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("run")
@options
def command(
    config: Path | None, once: bool, count: int | None, interval: float | None, as_json: bool, **given: Any
) -> None:
    """Measure on a schedule within a data budget, keep every record until the collector has it, report.

    Runs for ever (a systemd unit comes with the package); --once and --count end by themselves, with exit code 1 where
    records could not be delivered: they wait in the spool then.

    \b
    haidang-probe run --config /etc/haidang/probe.toml
    haidang-probe run --once --peer http://192.0.2.7:8080 --collector https://collector.example --token-file token
    haidang-probe run --count 10 --interval 60 --peer http://192.0.2.7:8080 --spool ./spool.sqlite
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
    many = 1 if once else count
    flags = _flags(given, None if many else interval)
    settings = load(config, os.environ, flags)
    credentials = credentials_of(settings)
    settings.candidates()
    with _running(settings, credentials, config, flags) as agent:
        if many:
            _run_counted(agent, many, 30.0 if interval is None else interval, as_json)
        else:
            _run_for_ever(agent, as_json)


def _flags(given: dict[str, Any], mean_interval_s: float | None) -> dict[str, Any]:
    """Arrange the flags as the configuration file is."""

    def text(name: str) -> str | None:
        return None if given[name] is None else str(given[name])

    return {
        "probe_id": given["probe_id"],
        "collector": given["collector"],
        "token_file": text("token_file"),
        "ca_file": given["ca_file"],
        "campaign": given["campaign"],
        "peers": list(given["peers"]) or None,
        "spool": {"path": text("spool_path")},
        "schedule": {"mean_interval_s": mean_interval_s},
        "budget": {"test_bytes": given["test_bytes"]},
        "metrics": {"port": given["metrics_port"]},
    }


def credentials_of(settings: Settings) -> Credentials | None:
    """Return the token where there is one; a collector without a token is a mistake worth telling."""
    if settings.collector is None and not Path(settings.token_file).is_file():
        return None
    return read_credentials(Path(settings.token_file))


@contextlib.contextmanager
def _running(
    settings: Settings, credentials: Credentials | None, config: Path | None, flags: dict[str, Any]
) -> Iterator[Agent]:
    """Open everything the agent holds, and give it back at the end."""
    from probe.agent.measure import Instrument
    from probe.sources import open_position, open_radio

    probe_id = settings.probe_id or (credentials and credentials.probe_id) or default_probe_id()
    url = settings.collector or (credentials and credentials.collector)
    client = None
    if url and credentials is not None:
        client = CollectorClient(url, credentials.token, ca_file=Path(settings.ca_file) if settings.ca_file else None)
    interface = settings.network.interface or default_interface()
    clock = SystemClock()
    path = config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    reload = Reload(path, lambda: load(config, os.environ, flags))
    instrument = Instrument(probe_id, open_radio(settings.radio), open_position(settings.position))
    with Spool(settings.spool.path, max_bytes=settings.spool.max_bytes) as spool, contextlib.closing(instrument):
        agent = Agent(
            settings,
            spool,
            None if client is None else Reporter(spool, client, rng=random.Random()),
            instrument,
            clock=clock,
            counter=lambda: None if interface is None else interface_bytes(interface),
            fetch_tasks=None if client is None else _fetcher(client),
            reload=reload,
            fix=instrument.fix,
        )
        peers = ", ".join(candidate.url for candidate in settings.candidates())
        _log.info("%s → %s; peers %s", probe_id, url or "the spool alone", peers)
        if settings.metrics.port:
            from probe.agent.metrics import serve

            serve(agent, settings.metrics.host, settings.metrics.port)
        agent.reload_requested = lambda: setattr(reload, "requested", True)
        yield agent


def _fetcher(client: CollectorClient) -> Callable[[], list[Any]]:
    from probe.agent.tasks import fetch

    return lambda: fetch(client)


def _run_counted(agent: Agent, count: int, interval_s: float, as_json: bool) -> None:
    for number in range(count):
        began = agent.clock.monotonic()
        _show(agent.test(agent.budget.allowance(agent.now()).test_bytes, Mode.MANUAL), as_json)
        agent.report()
        if number + 1 < count:
            agent.clock.wait(max(0.0, interval_s - (agent.clock.monotonic() - began)))
    waiting = agent.spool.depth().waiting_count
    if waiting and agent.reporter is not None and not agent.report():
        _log.error("%d records wait in %s", agent.spool.depth().waiting_count, agent.spool.path)
        raise SystemExit(1)


def _run_for_ever(agent: Agent, as_json: bool) -> None:
    watchdog, stopped = Watchdog(), False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        agent.clock.wake()

    def hang_up(*_: object) -> None:
        agent.reload_requested()
        agent.clock.wake()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, hang_up)
    agent.on_record = lambda record: _show(record, as_json)
    watchdog.ready()
    longest_s = watchdog.period_s / 2 if watchdog.period_s else 3600.0
    while not stopped:
        pause_s = agent.step()
        watchdog.alive(agent.status_line())
        if not stopped:
            agent.clock.wait(min(pause_s, longest_s))
    watchdog.stopping()
    agent.report()
    _log.info("stopped; %d records wait", agent.spool.depth().waiting_count)


def _show(record: Record | None, as_json: bool) -> None:
    if as_json and record is not None:
        from measurement.codec import encode

        click.echo(json.dumps(json.loads(encode(record)), ensure_ascii=False))
