"""A decoded record becomes an entry of the journal: placed, flagged, stamped with the time of receipt."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

import msgspec

from archive.journal import Entry
from archive.placing import Place, Placer
from measurement.plausibility import Context, Previous, flags
from measurement.record import Record

MOST_PROBES = 200_000
"""Probes whose last test is remembered for the rules of jump and spacing; some 60 MB at the very most."""
FAR_M = 35_000.0
"""A cell of GSM's normal range ends here; no LTE or NR cell of a city reaches farther."""

_encoder = msgspec.json.Encoder()


class Admitted(NamedTuple):
    """A record with what the collector knows of it."""

    record: Record
    entry: Entry
    areas: dict[str, str]
    flags: list[str]


class Admission:
    """Places and flags records. Not safe for several threads at once."""

    def __init__(self, placer: Placer, zone: tzinfo) -> None:
        """Admit by the deployment's layers, registry and time zone."""
        self.placer = placer
        self._zone = zone
        self._previous: OrderedDict[str, Previous] = OrderedDict()

    def admit(self, records: Sequence[Record], received_at: datetime) -> list[Admitted]:
        """Place and flag records in the order in which they came."""
        stamp = f',"received_at":"{received_at.astimezone(UTC).isoformat().replace("+00:00", "Z")}"'
        places = self.placer.place(records)
        return [self._one(r, place, received_at, stamp) for r, place in zip(records, places, strict=True)]

    def _one(self, record: Record, place: Place, received_at: datetime, stamp: str) -> Admitted:
        found = flags(record, Context(received_at, self._previous.get(record.probe_id)))
        found.extend(_placing_flags(place))
        self._remember(record)
        # The record was checked as it came; what we add is spliced in behind, which spares building it anew.
        tail = [stamp]
        if place.areas:
            tail.append(f',"areas":{_encoder.encode(place.areas).decode()}')
        if place.h3_cell is not None:
            tail.append(f',"h3_cell":"{place.h3_cell}"')
        if place.match is not None:
            tail.append(f',"base_station":{_encoder.encode(place.base_station).decode()}')
        if found:
            tail.append(f',"flags":{_encoder.encode(found).decode()}')
        body = _encoder.encode(record)[:-1] + "".join(tail).encode() + b"}"
        day = record.started_at.astimezone(self._zone).date().isoformat()
        return Admitted(record, Entry(bytes.fromhex(record.record_id.replace("-", "")), day, body), place.areas, found)

    def _remember(self, record: Record) -> None:
        before = self._previous.get(record.probe_id)
        if before is not None and before.started_at > record.started_at:
            return
        position = record.position
        here = (None, None) if position is None else (position.longitude_deg, position.latitude_deg)
        self._previous[record.probe_id] = Previous(record.started_at, *here)
        self._previous.move_to_end(record.probe_id)
        if len(self._previous) > MOST_PROBES:
            self._previous.popitem(last=False)


def _placing_flags(place: Place) -> Iterable[str]:
    if place.match is None:
        return []
    doubts = ["base-station-doubtful"] if place.match.is_doubtful else []
    return [*doubts, "base-station-far"] if (place.match.distance_m or 0) > FAR_M else doubts
