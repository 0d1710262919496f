"""The list of peers that may be tested against, some pinned, some excluded.

A peer has one of three roles: `own` (in or at the operator's or the authority's network), `domestic` and
`international`. Of each role the nearest can be asked for, so that a pair tells the national from the way abroad.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from measurement.errors import ConfigError
from probe.target import parse

MOST = 64


class Role(StrEnum):
    """What a peer stands for."""

    OWN = "own"
    DOMESTIC = "domestic"
    INTERNATIONAL = "international"


class Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A peer that may be tested against."""

    url: Annotated[str, Meta(max_length=400)]
    role: Role | None = None
    site: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    distance_km: Annotated[float, Meta(ge=0, le=21_000)] | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    server: Annotated[list[Candidate], Meta(min_length=1, max_length=MOST)]


def load(path: str | Path) -> list[Candidate]:
    """Read a list of peers: TOML with one `[[server]]` each (`url`, `role`, `site`, `distance_km`).

    Raises
    ------
    ConfigError
        Naming the file and the key.
    """
    try:
        found = msgspec.convert(tomllib.loads(Path(path).read_text("utf-8")), _File).server
    except OSError as error:
        raise ConfigError(f"{path}: Cannot read the list of peers. {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: Invalid TOML. {error}.") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: Invalid list of peers. {error}.") from None
    return check(found)


def check(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Refuse a list in which a peer is no URL or stands twice.

    Raises
    ------
    ConfigError
        Naming the peer.
    """
    seen: set[str] = set()
    for candidate in candidates:
        url = parse(candidate.url).url
        if url in seen:
            raise ConfigError(f"Invalid list of peers. {candidate.url} stands twice.")
        seen.add(url)
    return list(candidates)


def is_meant(candidate: Candidate, words: Collection[str]) -> bool:
    """Is the candidate named by one of the words, its URL or its host?

    Examples
    --------
    >>> is_meant(Candidate(url='http://a.example:8080'), {'a.example'})
    True
    """
    target = parse(candidate.url)
    return any(
        word in (target.host, f"{target.host}:{target.port}") or word.rstrip("/") == target.url for word in words
    )


def allowed(
    candidates: Sequence[Candidate], pin: str | None = None, exclude: Collection[str] = (), role: Role | None = None
) -> list[Candidate]:
    """Return the candidates left after pinning one, excluding some and keeping those of a role.

    Raises
    ------
    ConfigError
        Where a word names none, or none is left.
    """
    for word in (*([pin] if pin else []), *exclude):
        if not any(is_meant(candidate, {word}) for candidate in candidates):
            raise ConfigError(f"Invalid peer {word!r}. It is not in the list.")
    left = [c for c in candidates if not is_meant(c, exclude) and (pin is None or is_meant(c, {pin}))]
    left = [c for c in left if role is None or c.role is role]
    if not left:
        raise ConfigError("No peer is left. All are excluded, or none has the role.")
    return left
