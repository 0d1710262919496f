"""The files behind a path: a file, a folder, what is inside zip, tar and gz; read in bounded pieces."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from measurement.errors import ConfigError

PART_BYTES = 32 * 2**20  # a piece of lines: large enough for fast columns, small against memory
HEAD_BYTES = 8192
DOCUMENT_BYTES = 64 * 2**20  # a single JSON result larger than this is none
MAX_MEMBERS = 1_000_000
MAX_RATIO = 200  # text compresses 5 to 20 times; a bomb a thousand times
ZIP, TAR_GZ, GZIP, XLS = b"PK\x03\x04", (".tgz", ".tar.gz", ".tar"), b"\x1f\x8b", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Readable(Protocol):
    """What can be read in pieces."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most that many bytes, all without a size."""

    def close(self) -> None:
        """Give it back."""


class Member(NamedTuple):
    """One file: its name for people and patterns, its packed size, and how to open it."""

    name: str
    byte_count: int
    open: Callable[[], Readable]


def members(path: Path) -> Iterator[Member]:
    """Yield every file behind a path, in the order of names.

    Raises
    ------
    ConfigError
        Where there is nothing, or an archive is broken.
    """
    if path.is_dir():
        for entry in sorted(entry for entry in path.rglob("*") if entry.is_file()):
            yield from members(entry)
        return
    try:
        with path.open("rb") as file:
            head = file.read(8)
        if is_workbook(path, head):
            yield Member(str(path), path.stat().st_size, lambda: path.open("rb"))
        elif head.startswith(ZIP):
            yield from _zipped(path)
        elif path.name.endswith(TAR_GZ):
            yield from _tarred(path)
        elif head.startswith(GZIP):
            size = path.stat().st_size
            yield Member(str(path), size, partial(_open_gzip, path, size))
        else:
            yield Member(str(path), path.stat().st_size, lambda: path.open("rb"))
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise ConfigError(f"Invalid file {str(path)!r}. {getattr(error, 'strerror', None) or error}.") from None


def is_workbook(path: Path, head: bytes) -> bool:
    """Say whether a file is a spreadsheet, whatever its name says."""
    if head.startswith(XLS):
        return True
    if not head.startswith(ZIP):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()[:200]
    return "[Content_Types].xml" in names or ("mimetype" in names and "content.xml" in names)


def _zipped(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        listed = archive.infolist()
        if len(listed) > MAX_MEMBERS:
            raise ConfigError(f"Invalid file {str(path)!r}. {len(listed)} members, {MAX_MEMBERS} at most.")
        for info in sorted(listed, key=lambda info: info.filename):
            name = Path(info.filename).name
            if info.is_dir() or "__MACOSX/" in info.filename or name.startswith("."):
                continue
            yield Member(
                f"{path}/{info.filename}",
                info.compress_size,
                partial(_open_zipped, archive, info),
            )


def _open_gzip(path: Path, size: int) -> Readable:
    return _bounded(gzip.GzipFile(path), size)


def _open_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Readable:
    return _bounded(archive.open(info), info.compress_size)


def _itself(stream: IO[bytes]) -> Readable:
    return stream


def _tarred(path: Path) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isfile() else None
            if stream is not None:
                if info.name.endswith(".gz"):
                    inner = gzip.GzipFile(fileobj=stream)
                    yield Member(f"{path}/{info.name}", info.size, partial(_bounded, inner, info.size))
                else:
                    yield Member(f"{path}/{info.name}", info.size, partial(_itself, stream))


class _Bounded:
    """A stream that ends with an error where it grows beyond what text can."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._stream, self._left = stream, limit

    def read(self, size: int = -1, /) -> bytes:
        """Read, counting what came."""
        data = self._stream.read(size if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise OSError("it unpacks to over two hundred times its size")
        return data

    def close(self) -> None:
        """Close what is inside."""
        self._stream.close()


def _bounded(stream: Readable, packed: int) -> Readable:
    return _Bounded(stream, MAX_RATIO * max(packed, 4096))


def parts(stream: Readable, part_bytes: int = PART_BYTES) -> Iterator[bytes]:
    """Yield the stream in pieces of whole lines, each beginning with the header line."""
    rest = stream.read(part_bytes)
    header, newline, rest = rest.partition(b"\n")
    if not newline:
        yield header
        return
    while True:
        more = stream.read(part_bytes)
        whole, _, tail = rest.rpartition(b"\n") if more else (rest, b"", b"")
        if len(tail) > part_bytes:
            raise ConfigError(f"Invalid file. A line of over {part_bytes} bytes.")
        yield header + b"\n" + whole
        if not more:
            return
        rest = tail + more
