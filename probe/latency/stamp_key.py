"""The key of authenticated STAMP, from a file, so that it stands in no command line and no log."""

from __future__ import annotations

from pathlib import Path

from measurement.errors import ConfigError
from probe.latency.stamp_packet import SHORTEST_KEY

MOST_BYTES = 1024


def read_key(path: str) -> bytes:
    """Read a key; white space around it does not count.

    Raises
    ------
    ConfigError
        Where the file cannot be read, or the key is too short.
    """
    try:
        with Path(path).open("rb") as file:
            key = file.read(MOST_BYTES + 1).strip()
    except OSError as error:
        raise ConfigError(f"{path}: Cannot read the key. {error.strerror}.") from None
    if not SHORTEST_KEY <= len(key) <= MOST_BYTES:
        raise ConfigError(f"{path}: Invalid key of {len(key)} bytes. {SHORTEST_KEY} to {MOST_BYTES}.")
    return key
