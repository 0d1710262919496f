"""A copy of an archive that is whole, taken while others write: first the catalogue, then the segments it names.

A segment the copied catalogue names may be merged away meanwhile, but its file stays for the grace time. Copying into
an earlier backup copies only what is new, since segments never change.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from archive import layout
from archive.store import Archive
from measurement.errors import ConfigError, StorageError

_NAMED = "SELECT path, sha256, row_count FROM segments WHERE replaced_at IS NULL ORDER BY path"


class Copied(NamedTuple):
    """What a backup holds, and how many of its segments were copied now."""

    segment_count: int
    copied_count: int
    row_count: int


def _nothing(_done: int, _total: int) -> None:
    """Tell nobody."""


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def backup(archive: Archive, target: Path, progress: Callable[[int, int], None] = _nothing) -> Copied:
    """Copy an archive into `target`, new or an earlier backup.

    Raises
    ------
    ConfigError
        Where `target` is the archive itself or holds something else.
    StorageError
        Where a copied segment is not what the catalogue says.
    """
    if target.resolve() == archive.path.resolve():
        raise ConfigError(f"Invalid target {str(target)!r}. It is the archive itself.")
    if target.exists() and any(target.iterdir()) and not (target / layout.CATALOGUE).is_file():
        raise ConfigError(f"Invalid target {str(target)!r}. It is neither empty nor an earlier backup.")
    (target / layout.SEGMENTS).mkdir(parents=True, exist_ok=True)
    fresh = target / f".{layout.CATALOGUE}.new"
    fresh.unlink(missing_ok=True)
    with sqlite3.connect(fresh) as copy:
        archive.connection.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        rows = copy.execute(_NAMED).fetchall()
    copy.close()
    copied = 0
    for number, (path, digest, _) in enumerate(rows, start=1):
        copied += _copy(archive.path / path, target / path, digest)
        progress(number, len(rows))
    _copy_rest(archive.path, target)
    _fsync(fresh)
    os.replace(fresh, target / layout.CATALOGUE)
    _fsync(target)
    return Copied(len(rows), copied, sum(row[2] for row in rows))


def _copy(source: Path, target: Path, digest: str) -> bool:
    if target.is_file() and digest_of(target) == digest:
        return False
    target.parent.mkdir(exist_ok=True)
    shutil.copy2(source, target)
    if digest_of(target) != digest:
        raise StorageError(f"{source}: Invalid segment. Its SHA-256 is not the catalogue's.")
    _fsync(target)
    return True


def _copy_rest(source: Path, target: Path) -> None:
    shutil.copytree(source / layout.RESULTS, target / layout.RESULTS, dirs_exist_ok=True)
    for secret in source.glob("*.secret"):
        shutil.copy2(secret, target / secret.name)


def verify(archive: Archive) -> Iterator[str]:
    """Yield what is wrong with an archive: segments missing or changed, and whatever SQLite finds in the catalogue."""
    (state,) = archive.connection.execute("PRAGMA integrity_check").fetchone()
    if state != "ok":
        yield f"{layout.CATALOGUE}: {state}"
    for path, digest, _ in archive.connection.execute(_NAMED).fetchall():
        file = archive.path / path
        if not file.is_file():
            yield f"{path}: missing"
        elif digest_of(file) != digest:
            yield f"{path}: SHA-256 is not the catalogue's"
