"""`haidang-collector serve`: the server itself."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from collector.config import load


@click.command()
@click.option(
    "--archive",
    "folder",
    type=click.Path(path_type=Path),
    envvar="HAIDANG_ARCHIVE",
    required=True,
    help="Directory of the archive; made where it is missing.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65_535), help="Port; 0 takes a free one."
)
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar="HAIDANG_CONFIG",
    help="TOML file of the deployment (docs/operations.md).",
)
@click.option(
    "--site",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Directory to serve under /, made by haidang-maps build.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    envvar="HAIDANG_TOKEN_FILE",
    help="Further tokens, NAME ROLE TOKEN a line.",
)
@click.option("--tls-certificate", type=click.Path(path_type=Path), help="PEM file; with --tls-key serves HTTPS.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="PEM file of the certificate's key.")
@click.option("--trusted-proxy", "proxies", multiple=True, help="Address or network whose X-Forwarded-For counts.")
@click.option(
    "--workers",
    default=min(os.cpu_count() or 1, 4) if (os.cpu_count() or 1) > 1 else 0,
    show_default=True,
    type=click.IntRange(0, 64),
    help="Processes that judge large batches, each started by the first it gets; 0 for none.",
)
@click.option("--seal-every", default=60.0, show_default=True, help="Seconds between sealings of a quiet journal.")
@click.option("--influx-url", help="InfluxDB 2 to follow the archive, http://HOST:8086; a sink named influx.")
@click.option("--influx-org", default="haidang", show_default=True, help="Its organisation.")
@click.option("--influx-bucket", default="haidang", show_default=True, help="Its bucket; made where it is missing.")
@click.option("--influx-token-file", help="File with its token; else the environment's INFLUXDB_TOKEN.")
@click.option("--verbose", is_flag=True, help="Log each request.")
def command(
    folder: Path,
    host: str,
    port: int,
    config: Path | None,
    site: Path | None,
    token_file: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    proxies: tuple[str, ...],
    workers: int,
    seal_every: float,
    influx_url: str | None,
    influx_org: str,
    influx_bucket: str,
    influx_token_file: str | None,
    verbose: bool,
) -> None:
    """Receive records, serve the API and the site.

    \b
    Examples:
      haidang-collector serve --archive /srv/haidang --site /srv/haidang-site
      haidang-collector serve --archive /srv/haidang --config /etc/haidang.toml --host :: --port 443 \\
          --tls-certificate fullchain.pem --tls-key privkey.pem
      haidang-collector serve --archive /srv/haidang --influx-url http://127.0.0.1:8086 \\
          --influx-token-file /etc/haidang/influx-token
    """
    from collector.server import Options, run

    deployment = load(config)
    if influx_url is not None:
        influx = {"url": influx_url, "org": influx_org, "bucket": influx_bucket, "token_file": influx_token_file}
        deployment = msgspec.structs.replace(deployment, sinks=deployment.sinks | {"influx": influx})
    run(
        Options(
            folder=folder,
            host=host,
            port=port,
            deployment=deployment,
            config_folder=Path() if config is None else config.parent,
            site=site,
            token_file=token_file,
            tls_certificate=tls_certificate or _path(deployment.tls_certificate),
            tls_key=tls_key or _path(deployment.tls_key),
            proxies=proxies,
            workers=workers,
            seal_every_s=seal_every,
            is_verbose=verbose,
        )
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
