"""Make a certificate for servers on loopback."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.found import found
from tests.servers.loopback import HOST


@dataclass(frozen=True)
class Certificate:
    """Hold a self-signed certificate and its key as PEM files; the certificate is its own authority."""

    certificate: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    """Make a certificate for localhost and 127.0.0.1 that is good for a day."""
    made = Certificate(certificate=folder / "server.pem", key=folder / "server.key")
    command: list[str | Path] = [found("openssl"), "req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"]
    subprocess.run([*command, "-keyout", made.key, "-out", made.certificate], check=True, capture_output=True)
    return made
