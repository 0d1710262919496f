"""Runs the collector: one process serves and writes, a second one seals, merges and feeds the sinks."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import msgspec
import uvicorn

from archive.store import Archive
from collector import feeding, keeper, sink, tables
from collector.app import build
from collector.config import Deployment, install
from collector.service import Service
from measurement.errors import ConfigError


class Options(NamedTuple):
    """What `serve` was told."""

    folder: Path
    host: str
    port: int
    deployment: Deployment
    config_folder: Path
    site: Path | None
    token_file: Path | None
    tls_certificate: Path | None
    tls_key: Path | None
    proxies: tuple[str, ...]
    workers: int
    seal_every_s: float
    is_verbose: bool


def _listen(host: str, port: int) -> socket.socket:
    """Open the port before anything else, so that a port in use is told in one line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(f"Invalid address {host}:{port}. {error.strerror}.") from None
    listener.listen(2048)
    return listener


def _service(options: Options) -> Service:
    deployment = options.deployment
    if options.proxies:
        deployment = msgspec.structs.replace(deployment, trusted_proxies=list(options.proxies))
    with Archive(options.folder, create=True) as archive:
        tables.prepare(archive)
        install(archive, deployment, options.config_folder)
        for name, settings in deployment.sinks.items():
            sink.make(name, settings, options.folder).close()  # a wrong key is told here, not in a process of its own
            sink.register(archive, name)
    service = Service(options.folder, deployment, options.site, options.workers)
    service.certificate = options.tls_certificate
    if options.token_file is not None:
        try:
            service.access.admit_file(options.token_file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"Invalid token file {str(options.token_file)!r}. {error}") from None
    return service


def run(options: Options) -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if (options.tls_certificate is None) != (options.tls_key is None):
        raise ConfigError("Invalid TLS settings. --tls-certificate and --tls-key go together.")
    listener = _listen(options.host, options.port)
    service = _service(options)
    # One thread of polars in each helper: they share the cores with those who wait for an answer.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    helper = context.Process(
        target=keeper.run,
        args=(options.folder, options.seal_every_s, options.deployment.retention_days, os.getpid()),
        name="haidang-keeper",
        daemon=True,
    )
    helpers = [helper]
    if options.deployment.sinks:
        helpers.append(
            context.Process(
                target=feeding.run,
                args=(options.folder, options.deployment.sinks, os.getpid()),
                name="haidang-feeder",
                daemon=True,
            )
        )
    for process in helpers:
        process.start()
    host, port = listener.getsockname()[:2]
    scheme = "https" if options.tls_certificate else "http"
    shown = f"[{host}]" if ":" in host else host
    # Records are made and dropped by the hundred thousand; what is here now stays for ever.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    # The journal's thread gives up the interpreter at each statement and must not wait 5 ms to have it again.
    sys.setswitchinterval(0.0005)
    config = uvicorn.Config(
        build(service),
        log_level="info" if options.is_verbose else "warning",
        access_log=options.is_verbose,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        ssl_certfile=options.tls_certificate,
        ssl_keyfile=options.tls_key,
    )
    server = uvicorn.Server(config)

    def end(_: int, __: FrameType | None) -> None:
        server.should_exit = True

    # Before uvicorn has its own handlers a signal must not be lost; and it raises the signal again once it has shut
    # down in order, which must not make a failure of it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    print(
        f"haidang-collector: serving {scheme}://{shown}:{port}/v1/ from {options.folder}", file=sys.stderr, flush=True
    )
    try:
        server.run(sockets=[listener])
    finally:
        for process in helpers:
            process.terminate()
            process.join(10)
