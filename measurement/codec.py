"""JSON of a record, both ways. Decoding is strict: unknown fields, wrong types and values out of range are refused."""

from __future__ import annotations

import re

import msgspec

from measurement.errors import RecordError
from measurement.record import Record
from measurement.rules import check

_decoder = msgspec.json.Decoder(Record)
_encoder = msgspec.json.Encoder()
_PATH = re.compile(r" - at (?:`key` in )?`(\$[^`]*)`$")


def as_record_error(error: msgspec.MsgspecError) -> RecordError:
    """Translate a decoder's error into path and reason."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return RecordError("$", f"Invalid JSON. {text}.")
    match = _PATH.search(text)
    return RecordError(match.group(1), text[: match.start()]) if match else RecordError("$", text)


def encode(record: Record) -> bytes:
    """Encode a record as JSON; absent fields are left out."""
    return _encoder.encode(record)


def decode_unchecked(body: bytes | str) -> Record:
    """Decode one record with its field ranges, without the rules across fields.

    Raises
    ------
    RecordError
        With the failing path.
    """
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise as_record_error(error) from None
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise RecordError("$", f"Invalid JSON. {error}") from None


def decode(body: bytes | str) -> Record:
    """Decode and check one record.

    Raises
    ------
    RecordError
        With the failing path.
    """
    record = decode_unchecked(body)
    check(record)
    return record
