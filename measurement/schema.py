"""JSON Schema of the record, for the OpenAPI page and for others who write records."""

from __future__ import annotations

from typing import Any

import msgspec

from measurement.record import SCHEMA_VERSION, Record


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one record."""
    schema = msgspec.json.schema(Record)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Hải Đăng record",
        "version": SCHEMA_VERSION,
        **schema,
    }
