"""Whole records for the tests of the spool, the reporter and the agent."""

from datetime import UTC, datetime

from measurement.codec import encode
from measurement.identity import uuid7
from measurement.record import Outcome, Record, Throughput, ThroughputResult
from measurement.vocabulary import Failure, Status, StopReason, ThroughputMethod

NOON = datetime(2026, 7, 1, 5, tzinfo=UTC)  # in Hải Phòng


def record(index: int, *, started_at: datetime = NOON, probe_id: str = "probe-1", bytes_count: int = 10_000_000,
           is_failed: bool = False, **fields) -> Record:  # fmt: skip
    """Return a valid record whose id depends on `index` alone."""
    result = ThroughputResult(
        method=ThroughputMethod.HTTP, goodput_bps=50e6, bytes_count=bytes_count, stop_reason=StopReason.STABLE
    )
    return Record(
        record_id=uuid7(1_780_000_000_000 + index, index.to_bytes(10)),
        schema_version=1,
        probe_id=probe_id,
        agent="haidang/test",
        mode="scheduled",
        started_at=started_at,
        outcome=Outcome(status=Status.FAILED, failure=Failure.CONNECTION_REFUSED) if is_failed
        else Outcome(status=Status.COMPLETE),
        throughput=None if is_failed else Throughput(downlink=result),
        **fields,
    )  # fmt: skip


def body(index: int, **fields) -> bytes:
    return encode(record(index, **fields))
