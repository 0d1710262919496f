"""`haidang-probe enrol`: exchange a one-time code for a token."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import click
import msgspec

from measurement.errors import ConfigError, DeliveryError
from probe.collector_client import CollectorClient, Reply
from probe.settings import Credentials

DEFAULT_TOKEN_FILE = Path("/var/lib/haidang/token")


class _Answer(msgspec.Struct):
    token: str
    probe_id: str


def enrol(client: CollectorClient, code: str) -> Credentials:
    """Spend the code.

    Raises
    ------
    ConfigError
        Where the collector does not take the code.
    DeliveryError
        Where it does not answer, or not as a collector does.
    """
    reply = client.post("/v1/enrol", msgspec.json.encode({"code": code}), content_type="application/json")
    if reply.status in (400, 401, 403, 404, 409, 410, 422):
        raise ConfigError(
            f"Invalid code. The collector answers HTTP {reply.status}{_detail(reply)}; ask for a new one."
        )
    if reply.status not in (200, 201):
        raise DeliveryError(f"{client.url}: HTTP {reply.status}{_detail(reply)}", reply.retry_after_s)
    try:
        answer = msgspec.json.decode(reply.body, type=_Answer)
    except msgspec.MsgspecError as error:
        raise DeliveryError(f"{client.url}: no collector's answer. {error}") from None
    return Credentials(answer.token, answer.probe_id, client.url)


def _detail(reply: Reply) -> str:
    try:
        body = msgspec.json.decode(reply.body)
    except msgspec.MsgspecError:
        return ""
    reason = body.get("reason") or body.get("detail") or body.get("error") if isinstance(body, dict) else None
    return f" ({reason})" if isinstance(reason, str) else ""


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"Invalid token file {str(path)!r}. {error.strerror}.") from None


@click.command("enrol")
@click.argument("url")
@click.argument("code")
@click.option("--token-file", type=click.Path(path_type=Path), default=DEFAULT_TOKEN_FILE, show_default=True)
@click.option("--ca-file", type=click.Path(path_type=Path), help="Certificates to trust beside the system's.")
@click.option("--force", is_flag=True, help="Replace a token that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON; the token is never printed.")
def command(url: str, code: str, token_file: Path, ca_file: Path | None, force: bool, as_json: bool) -> None:
    """Exchange a one-time CODE for a token at the collector URL.

    The token goes into a file of mode 600, together with the probe's id and the collector's address, so that
    `haidang-probe run` needs nothing more.

    \b
    haidang-probe enrol https://collector.example 7F3K-Q2MD
    haidang-probe enrol http://192.0.2.7:8080 7F3K-Q2MD --token-file ~/.config/haidang/token
    """
    if token_file.exists() and not force:
        raise ConfigError(f"Invalid token file {str(token_file)!r}. It is there already; --force replaces it.")
    if not os.access(_nearest(token_file), os.W_OK):
        raise ConfigError(f"Invalid token file {str(token_file)!r}. Its folder cannot be written; the code is unspent.")
    credentials = enrol(CollectorClient(url, ca_file=ca_file), code)
    write_private(token_file, msgspec.json.encode(credentials) + b"\n")
    if as_json:
        click.echo(json.dumps({"probe_id": credentials.probe_id, "collector": url, "token_file": str(token_file)}))
    else:
        click.echo(f"Enrolled as {credentials.probe_id} at {credentials.collector}; token in {token_file} (mode 600).")


def _nearest(path: Path) -> Path:
    """Return the nearest folder above the file that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())
