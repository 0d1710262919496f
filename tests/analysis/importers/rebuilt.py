"""Rebuild a record's JSON from a flat archive row, to hold imports by the decoder and the rules."""

from typing import Any

import msgspec

from measurement.columns import COLUMNS, Kind


def body_of(row: dict[str, Any]) -> bytes:
    nested: dict[str, Any] = {}
    for column in COLUMNS:
        value = row.get(column.name)
        if not column.path or value is None or column.path[0] in ("areas", "h3_cell", "base_station"):
            continue
        if column.kind is Kind.RADIO:
            value = [{k: v for k, v in sample.items() if v is not None} for sample in value]
        here = nested
        for name in column.path[:-1]:
            here = here.setdefault(name, {})
        here[column.path[-1]] = value
    latency = nested.get("latency", {})
    for phase in latency.values():
        phase.setdefault("sent_count", 0)
        phase.setdefault("received_count", 0)
    return msgspec.json.encode(nested)
