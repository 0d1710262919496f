"""Addresses that come from the command line, checked before they enter a page or its policy."""

from __future__ import annotations

import re

from measurement.errors import ConfigError

_URL = re.compile(r"^https?://[A-Za-z0-9.\-_\[\]:]+(/[A-Za-z0-9.\-_~/]*)?$")
_TILES = re.compile(r"^https?://(\{s\}\.)?[A-Za-z0-9.\-_:]+/[A-Za-z0-9.\-_~/{}?=&@]*$")


def checked_url(option: str, url: str | None) -> str | None:
    """Return a URL without its last slash.

    Raises
    ------
    ConfigError
        Where it is not a plain http or https address.
    """
    if url is None:
        return None
    if not _URL.match(url):
        raise ConfigError(f"{option}: Invalid URL {url!r}. http or https, a host, a port and a path at most.")
    return url.rstrip("/")


def checked_tiles(url: str | None) -> str | None:
    """Return the address of tiles with its places {x}, {y}, {z}."""
    if url is not None and (not _TILES.match(url) or not all(place in url for place in ("{x}", "{y}", "{z}"))):
        raise ConfigError(f"--tiles: Invalid address {url!r}. http or https with {{z}}, {{x}} and {{y}}.")
    return url
