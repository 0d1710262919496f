"""One import: every file behind the paths, recognised, read in pieces, checked, placed, appended, accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from analysis.importers.account import Account
from analysis.importers.append import Appender
from analysis.importers.files import DOCUMENT_BYTES, HEAD_BYTES, PART_BYTES, XLS, ZIP, Member, Readable, members, parts
from analysis.importers.formats import BY_NAME, Format, passed_over, recognise
from analysis.importers.options import Options
from archive.frames import frame_from_bodies
from archive.store import Archive
from measurement.codec import encode
from measurement.errors import ConfigError, RecordError
from measurement.record import Record
from measurement.rules import check_from_probe

DOCUMENTS_AT_ONCE = 2000


class Progress(NamedTuple):
    """How far an import is: packed bytes done, rows read so far."""

    byte_count: int
    rows_count: int


class Import:
    """Reads files into one archive. Its account says what became of every row."""

    def __init__(
        self,
        archive: Archive,
        options: Options,
        *,
        format_name: str | None = None,
        listener: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        if format_name is not None and format_name not in BY_NAME:
            raise ConfigError(f"Invalid format {format_name!r}. One of {', '.join(BY_NAME)}.")
        self.account = Account()
        self._appender, self._options = Appender(archive, self.account), options
        self._forced = BY_NAME[format_name] if format_name else None
        self._listener, self._done_bytes = listener, 0
        self._parts: list[tuple[str, bytes]] = []
        self._records: list[Record] = []
        self._format: Format | None = None

    def run(self, paths: Sequence[Path]) -> Account:
        """Read every path; a file that is none of the known formats is refused by name, the others go on."""
        for path in paths:
            for member in members(path):
                self._read(member)
        self._flush()
        return self.account

    def _read(self, member: Member) -> None:
        account = self.account
        account.files_count += 1
        stream: Readable | None = None
        try:
            stream = member.open()
            head = stream.read(HEAD_BYTES)
            found = self._forced or recognise(head)
            if head.startswith((XLS, ZIP)):
                account.refuse_files(member.name, "a spreadsheet, whatever its name says; save it as CSV first")
            elif found is None:
                account.refuse_files(
                    member.name, passed_over(head) or ("none of the known formats" if head else "empty")
                )
            else:
                self._switch(found)
                self._take(found, member, _Rewound(head, stream))
        except (OSError, EOFError, ConfigError, ValueError) as error:
            account.refuse_files(member.name, str(error))
        finally:
            if stream is not None:
                stream.close()
        self._done_bytes += member.byte_count
        self._listener(Progress(self._done_bytes, account.rows_read_count))

    def _switch(self, found: Format) -> None:
        if self._format is not found:
            self._flush()
            self._format = found
            names = [name for name in self.account.format.split(", ") if name]
            self.account.format = ", ".join(dict.fromkeys([*names, found.name]))

    def _take(self, found: Format, member: Member, stream: _Rewound) -> None:
        if found.document is not None:
            self._take_document(found, member, stream)
            return
        for part in parts(stream):
            if self._parts and _header(self._parts[0][1]) != _header(part):
                self._flush()
            self._parts.append((member.name, part))
            if sum(len(content) for _, content in self._parts) >= PART_BYTES:
                self._flush()

    def _take_document(self, found: Format, member: Member, stream: _Rewound) -> None:
        content = stream.read(DOCUMENT_BYTES + 1)
        if len(content) > DOCUMENT_BYTES:
            raise ConfigError(f"over {DOCUMENT_BYTES} bytes for one result")
        assert found.document is not None
        for record in found.document(member.name, content, self._options, self.account):
            try:
                check_from_probe(record)
            except RecordError as error:
                self.account.refuse_rows(str(error))
                continue
            self._records.append(record)
        if len(self._records) >= DOCUMENTS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        frames = list(self._frames())
        self._parts, self._records = [], []
        for frame in frames:
            self.account.rows_kept_count += self._appender.append(frame)
            self._listener(Progress(self._done_bytes, self.account.rows_read_count))

    def _frames(self) -> Iterator[pl.DataFrame]:
        if self._parts and self._format is not None and self._format.lines is not None:
            yield self._format.lines(self._parts, self._options, self.account)
        if self._records:
            unique = {record.record_id: record for record in self._records}
            self.account.refuse_rows("the same result again", len(self._records) - len(unique))
            yield _without_empty_counts(frame_from_bodies([encode(record) for record in unique.values()], []))


def _without_empty_counts(frame: pl.DataFrame) -> pl.DataFrame:
    """Turn the counts of echoes that a tool does not tell, 0 in the record, into absences."""
    counts = [pl.col(name) for name in frame.columns if name.endswith(("sent_count", "received_count"))]
    unknown = {c.meta.output_name(): c.meta.output_name().replace("received_count", "sent_count") for c in counts}
    return frame.with_columns(
        pl.when(pl.col(sent) > 0).then(pl.col(name)).alias(name) for name, sent in unknown.items()
    )


def _header(content: bytes) -> bytes:
    return content.split(b"\n", 1)[0].strip()


class _Rewound:
    """A stream whose head was read already."""

    def __init__(self, head: bytes, stream: Readable) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int = -1, /) -> bytes:
        """Read at most that many bytes."""
        if size < 0:
            data, self._head = self._head, b""
            return data + self._stream.read()
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data + (self._stream.read(size - len(data)) if len(data) < size else b"")
        return self._stream.read(size)

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()
