"""When a TLS certificate expires. Knows Python's reader of PEM files."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any


def expiry_s(path: Path) -> float | None:
    """Return when the first certificate of a PEM file expires, seconds since 1970; None where it cannot be read."""
    reader: Any = getattr(ssl, "_ssl")  # noqa: B009 (the standard library decodes PEM files nowhere in public)
    try:
        return float(ssl.cert_time_to_seconds(reader._test_decode_cert(str(path))["notAfter"]))
    except (OSError, ssl.SSLError, KeyError, ValueError):
        return None
