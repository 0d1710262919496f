"""From the bytes of a request to records: bounded decompression, JSON array or lines, each record judged alone.

The fast path decodes the whole batch at once; only where that fails is each record decoded by itself, so that one bad
record among ten thousand costs the others nothing but time.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import msgspec
from isal import igzip_lib, isal_zlib

from archive.gathering import Gathered, gather
from measurement.codec import as_record_error, decode_unchecked
from measurement.errors import HaidangError, RecordError
from measurement.record import Record
from measurement.rules import RULES, check_from_probe, suspects

MOST_RECORDS = 10_000
MOST_RECORD_BYTES = 256 << 10
MOST_DEPTH = 64
FEW = 16
"""Below, a record is judged by itself sooner than columns are set up."""

_list_decoder = msgspec.json.Decoder(list[Record])
_line_decoder = msgspec.json.Decoder(Record)
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_encoder = msgspec.json.Encoder()
_BROKEN: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # its stub forgets that it is a class
_SPACED = re.compile(rb"[ \t\r\n]:")


class IntakeError(HaidangError):
    """The request as a whole cannot be read; `code` names why (see `collector.replies`)."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[IntakeError], tuple[str, str]]:
        return IntakeError, (self.code, self.detail)


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """One refused record: its position in the batch, the failing path, the reason, its id where it could be read."""

    index: int
    path: str
    reason: str
    record_id: str | None = None


class Batch(NamedTuple):
    """The records of a request that can be kept, with their positions, and those that cannot.

    `gathered` are the records' columns, where they have been made already.
    """

    records: list[Record]
    indices: list[int]
    rejected: list[Rejection]
    gathered: Gathered | None = None


def expand(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body; never makes more than `limit` bytes.

    Raises
    ------
    IntakeError
        `encoding-unknown`, `encoding-broken` or `body-too-large`.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise IntakeError("encoding-unknown", encoding[:40])
    plain = bytearray()
    try:
        while body:
            inflater = isal_zlib.decompressobj(isal_zlib.MAX_WBITS | (16 if encoding == "gzip" else 0))
            plain += inflater.decompress(body, limit - len(plain) + 1)
            if len(plain) > limit:
                raise IntakeError("body-too-large", f"{limit} bytes after decompression")
            if not inflater.eof:
                raise IntakeError("encoding-broken", f"truncated {encoding}")
            body = inflater.unused_data.lstrip(b"\0")
    except _BROKEN as error:
        raise IntakeError("encoding-broken", str(error)) from None
    return bytes(plain)


def read(body: bytes) -> Batch:
    """Read the records of a JSON array, of one JSON object, or of JSON lines.

    Raises
    ------
    IntakeError
        `body-empty`, `json-invalid` or `too-many-records`.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        body = body[3:]
    start = body[:64].lstrip()[:1] or body.lstrip()[:1]
    if not start:
        raise IntakeError("body-empty")
    quick = _quick(body, is_array=start == b"[")
    if quick is None:
        parts = _split(body, is_array=start == b"[")
        return _each(parts)
    return quick


def _quick(body: bytes, *, is_array: bool) -> Batch | None:
    """Decode everything at once, None where anything at all is wrong."""
    if body.count(b'"record_id"') > MOST_RECORDS:
        return None
    try:
        records = _list_decoder.decode(body) if is_array else _line_decoder.decode_lines(body)
        gathered = gather(records) if len(records) >= FEW else None
        if (gathered is None or not _has_only(gathered, body)) and _may_hold_twins(
            body, _encoder.encode(records) if is_array else _encoder.encode_lines(records)
        ):
            return None
        rules = suspects(gathered.columns()) if gathered is not None else RULES
        for record in records:
            check_from_probe(record, rules)
    except (msgspec.MsgspecError, RecordError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return Batch(records, list(range(len(records))), [], gathered)


def _has_only(gathered: Gathered, body: bytes) -> bool:
    """Return whether every key of the body is one that was kept; False where a text or a null makes it unclear.

    Each key has one colon, each `started_at` two more; a key that stands twice would add a third.
    """
    return body.count(b":") == gathered.key_count + 2 * gathered.block.rows


def _may_hold_twins(body: bytes, again: bytes) -> bool:
    """Return whether a key may stand twice, which the decoder takes without a word: the last one wins.

    `again` is what was decoded, encoded again. Our own probes write just that; of others' JSON the keys are counted.
    """
    if again == body or again[:-1] == body:
        return False
    return again.count(b'":') != body.count(b'":') or _is_spaced(body)


def _is_spaced(body: bytes) -> bool:
    """Return whether a key may stand apart from its colon, so that counting `":` does not count keys."""
    return _SPACED.search(body) is not None


def _split(body: bytes, *, is_array: bool) -> list[bytes]:
    if is_array:
        try:
            parts = [bytes(raw) for raw in _raw_list.decode(body)]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise IntakeError("json-invalid", str(error)[:200]) from None
    else:
        parts = [line for line in body.splitlines() if line.strip()]
    if len(parts) > MOST_RECORDS:
        raise IntakeError("too-many-records", f"{len(parts)} records, {MOST_RECORDS} at most")
    return parts


def _each(parts: list[bytes]) -> Batch:
    batch = Batch([], [], [])
    for index, part in enumerate(parts):
        try:
            batch.records.append(_one(part))
            batch.indices.append(index)
        except RecordError as error:
            batch.rejected.append(Rejection(index, error.path, error.reason[:300], _id_of(part)))
    return batch


def _one(part: bytes) -> Record:
    if len(part) > MOST_RECORD_BYTES:
        raise RecordError("$", f"Invalid record of {len(part)} bytes. At most {MOST_RECORD_BYTES}.")
    record = decode_unchecked(part)
    check_from_probe(record)
    if _may_hold_twins(part, _encoder.encode(record)):
        _refuse_twins(part)
    return record


def _refuse_twins(part: bytes) -> None:
    """Refuse a record in which a key stands twice in one object."""

    def pairs(members: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(members)
        if len(found) < len(members):
            names = [name for name, _ in members]
            twin = next(name for name in names if names.count(name) > 1)
            raise RecordError("$", f"Invalid JSON. The key {twin!r} stands twice in one object.")
        return found

    try:
        json.loads(part, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise RecordError("$", f"Invalid JSON. {error}") from None


_ID = re.compile(rb'"record_id"\s*:\s*"([0-9a-f-]{36})"')


def _id_of(part: bytes) -> str | None:
    match = _ID.search(part[:4096])
    return match.group(1).decode() if match else None


__all__ = ["Batch", "IntakeError", "Rejection", "as_record_error", "expand", "read"]
