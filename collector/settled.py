"""What is known of a batch once it was judged: what goes to the journal, what is answered, what is counted.

Light enough to cross from a worker process: blocks are bytes already, and of each record only what counters need.
"""

from __future__ import annotations

import msgspec

from archive.journal import Incoming
from collector.intake import Rejection
from measurement.radio import operator_of
from measurement.record import Record
from measurement.vocabulary import PositionSource, Status


class Note(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record, as far as counters and gauges go. Absent is None."""

    probe_id: str
    agent: str
    started_s: float
    operator: str | None
    technology: str | None
    areas: list[str | None]
    downlink_bps: float | None
    uplink_bps: float | None
    latency_s: float | None
    loss_ratio: float | None
    is_failed: bool
    is_simulated: bool
    flags: list[str]
    organisation: str | None
    is_fixed: bool
    base_station: str | None
    """The station that served it, where there is no doubt."""


class Settled(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A judged batch. `accepted` and `notes` go with `incoming.ids`, place by place."""

    accepted: list[str]
    rejected: list[Rejection]
    incoming: Incoming
    notes: list[Note]


def note_of(record: Record, areas: list[str | None], flags: list[str], base_station: str | None = None) -> Note:
    """Return the note of a record that lies in `areas`, one for each layer in order."""
    network, throughput = record.network, record.throughput
    idle = record.latency.idle if record.latency is not None else None
    down, up = (throughput.downlink, throughput.uplink) if throughput is not None else (None, None)
    return Note(
        record.probe_id,
        record.agent,
        record.started_at.timestamp(),
        None if network is None else network.operator or operator_of(network.mcc, network.mnc),
        None if network is None or network.technology is None else network.technology.value,
        areas,
        None if down is None else down.goodput_bps,
        None if up is None else up.goodput_bps,
        None if idle is None or idle.rtt_median_ms is None else idle.rtt_median_ms / 1000,
        None if idle is None else idle.loss_ratio,
        record.outcome.status is Status.FAILED,
        record.is_simulated,
        flags,
        record.organisation,
        record.position is not None and record.position.source is PositionSource.FIXED,
        base_station,
    )
