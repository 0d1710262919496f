"""Decoded records become a batch for the journal: placed, flagged, stamped with the time of receipt, packed by day."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from typing import Any, NamedTuple

from archive.blocks import Block, only
from archive.gathering import Gathered, finish, gather, microseconds, pack
from archive.journal import Incoming, Part
from archive.placing import Place, Placer
from collector.intake import FEW, Batch
from collector.settled import Settled, note_of
from measurement.columns import area_column
from measurement.plausibility import ALL, Context, Previous, flags, suspects
from measurement.record import Record

MOST_PROBES = 200_000
"""Probes whose last test is remembered for the rules of jump and spacing; some 60 MB at the very most."""
FAR_M = 35_000.0
"""A cell of GSM's normal range ends here; no LTE or NR cell of a city reaches farther."""


class Admitted(NamedTuple):
    """A record with what the collector knows of it."""

    record: Record
    place: Place
    flags: list[str]


class Admission:
    """Places, flags and packs records; one thread at a time."""

    def __init__(self, placer: Placer, zone: tzinfo) -> None:
        """Admit by the deployment's layers, registry and time zone."""
        self._lock = threading.Lock()
        self._placer = placer
        self._zone = zone
        self._previous: OrderedDict[str, Previous] = OrderedDict()

    def settle(self, batch: Batch, received_at: datetime) -> Settled:
        """Place, flag and pack the records of a batch."""
        gathered = batch.gathered
        if gathered is None and len(batch.records) >= FEW:
            gathered = gather(batch.records)
        with self._lock:
            admitted = self.admit(batch.records, received_at, gathered)
            incoming = self.pack(admitted, received_at, gathered)
        layers = self._placer.layer_keys
        notes = [
            note_of(record, [place.areas.get(layer) for layer in layers], found, _sure(place))
            for record, place, found in admitted
        ]
        return Settled([r.record_id for r in batch.records], batch.rejected, incoming, notes)

    def admit(
        self, records: Sequence[Record], received_at: datetime, gathered: Gathered | None = None
    ) -> list[Admitted]:
        """Place and flag records in the order in which they came."""
        places = self._placer.place(records)
        tests = ALL if gathered is None else suspects(gathered.columns())
        admitted = []
        for record, place in zip(records, places, strict=True):
            found = flags(record, Context(received_at, self._previous.get(record.probe_id)), tests)
            if place.match is not None:
                found.extend(_doubts(place))
            self._remember(record)
            admitted.append(Admitted(record, place, found))
        return admitted

    def pack(self, admitted: Sequence[Admitted], received_at: datetime, gathered: Gathered | None = None) -> Incoming:
        """Make the journal's batch: a block a day."""
        stamp = microseconds(received_at)
        ids = [bytes.fromhex(item.record.record_id.replace("-", "")) for item in admitted]
        parts = []
        for day, positions in self._by_day(admitted).items():
            held = admitted if len(positions) == len(admitted) else [admitted[position] for position in positions]
            added = self._added(held, stamp)
            body = (
                pack([item.record for item in held], added)
                if gathered is None
                else finish(_rows(gathered.block, positions), added)
            )
            parts.append(Part(day.isoformat(), positions, body))
        return Incoming(ids, parts)

    def _by_day(self, admitted: Sequence[Admitted]) -> dict[date, list[int]]:
        """Return the positions of the records of each civil day."""
        started = [item.record.started_at for item in admitted]
        if started and self._day(min(started)) == self._day(max(started)):
            return {self._day(started[0]): list(range(len(started)))}
        days: dict[date, list[int]] = {}
        for position, moment in enumerate(started):
            days.setdefault(self._day(moment), []).append(position)
        return days

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()

    def _added(self, admitted: Sequence[Admitted], stamp: int) -> dict[str, list[Any]]:
        """Return the collector's columns by their archive names."""
        places = [item.place for item in admitted]
        added: dict[str, list[Any]] = {
            "received_at": [stamp] * len(admitted),
            "h3_cell": [place.h3_cell for place in places],
            "flags": [item.flags or None for item in admitted],
        }
        for layer in self._placer.layer_keys:
            added[area_column(layer)] = [place.areas.get(layer) for place in places]
        matches = [place.match for place in places]
        if matches.count(None) < len(matches):
            added["base_station_id"] = [m and m.id for m in matches]
            added["base_station_distance_m"] = [m and m.distance_m for m in matches]
            added["base_station_matched_by"] = [m and m.matched_by.value for m in matches]
        return added

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


def _rows(block: Block, positions: list[int]) -> Block:
    return block if len(positions) == block.rows else only(block, positions)


def _sure(place: Place) -> str | None:
    return None if place.match is None or place.match.is_doubtful else place.match.id


def _doubts(place: Place) -> list[str]:
    if place.match is None:
        return []
    doubts = ["base-station-doubtful"] if place.match.is_doubtful else []
    return [*doubts, "base-station-far"] if (place.match.distance_m or 0) > FAR_M else doubts
