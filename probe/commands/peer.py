"""`haidang-probe peer`: the measurement server."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from measurement.errors import ConfigError

TICKET_KEY_BYTES, STAMP_KEY_BYTES = 32, 16


def _secret(path: str | None, least: int) -> bytes | None:
    if path is None:
        return None
    try:
        secret = Path(path).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: Invalid key file. {error.strerror}.") from None
    if len(secret) < least:
        raise ConfigError(f"{path}: Invalid key of {len(secret)} bytes. At least {least}.")
    return secret


@click.command(
    "peer",
    short_help="the measurement server, the other end of every method",
    epilog="Example: haidang-probe peer --host 0.0.0.0 --port 8080 --site 'VNPT Hải Phòng'",
)
@click.option("--host", default="::", show_default=True, help="Address to listen on; :: is all, IPv4 and IPv6.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="TCP port; 0 takes any.")
@click.option(
    "--stamp-port",
    type=click.IntRange(-1, 65535),
    help="UDP port of the STAMP reflector. [default: the TCP port; -1: off]",
)
@click.option("--certificate", type=click.Path(), help="PEM chain; turns https on.")
@click.option("--key", type=click.Path(), help="PEM key of the certificate.")
@click.option("--name", default="haidang-peer", show_default=True, help="Name told to probes.")
@click.option("--site", help="Where it stands, told to probes and kept in records.")
@click.option("--asn", type=click.IntRange(1, 2**32 - 1), help="Autonomous system it is in.")
@click.option("--domestic/--international", "is_domestic", default=None, help="Is it in the country of the probes?")
@click.option("--tests", default=16, show_default=True, type=click.IntRange(1), help="Tests at one time; more wait.")
@click.option("--ticket-key", type=click.Path(), help="File shared with the collector; signs browser tests.")
@click.option("--stamp-key", type=click.Path(), help="Key file of authenticated STAMP.")
def command(
    host: str,
    port: int,
    stamp_port: int | None,
    certificate: str | None,
    key: str | None,
    name: str,
    site: str | None,
    asn: int | None,
    is_domestic: bool | None,
    tests: int,
    ticket_key: str | None,
    stamp_key: str | None,
) -> None:
    """Serve measurements until stopped by SIGINT or SIGTERM; running tests may end first."""
    from probe.peer.limits import Limits
    from probe.peer.server import Peer
    from probe.peer.state import PeerSettings

    peer = Peer(
        PeerSettings(
            host=host,
            port=port,
            stamp_port=stamp_port,
            certificate=certificate,
            key=key,
            name=name,
            site=site,
            asn=asn,
            is_domestic=is_domestic,
            ticket_key=_secret(ticket_key, TICKET_KEY_BYTES),
            stamp_key=_secret(stamp_key, STAMP_KEY_BYTES),
            limits=Limits(tests=tests),
        )
    )
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    peer.start()
    stamp = f", STAMP on UDP {peer.stamp_port}" if peer.stamp_port else ""
    click.echo(f"peer: serving on {peer.url}{stamp}", err=True)
    stopped.wait()
    click.echo("peer: stopping, running tests may end", err=True)
    peer.stop()
