"""From the bytes of a request to a judged batch: the whole work that needs a processor, and nothing that waits."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from collector.admission import Admission
from collector.intake import Batch, Rejection, expand, read
from collector.settled import Settled


class Submission(NamedTuple):
    """A request's body, whose token it came with (None where it opens for every probe), and when."""

    body: bytes
    encoding: str
    expanded_bytes: int
    probe_id: str | None
    received_at: datetime


def judge(admission: Admission, submission: Submission) -> Settled:
    """Decompress, decode, check, place, flag and pack.

    Raises
    ------
    IntakeError
        Where the body as a whole cannot be read.
    """
    batch = read(expand(submission.body, submission.encoding, submission.expanded_bytes))
    return admission.settle(own_only(batch, submission.probe_id), submission.received_at)


def own_only(batch: Batch, probe_id: str | None) -> Batch:
    """Refuse records in the name of another probe."""
    if probe_id is None or all(record.probe_id == probe_id for record in batch.records):
        return batch
    kept = Batch([], [], list(batch.rejected))
    for record, index in zip(batch.records, batch.indices, strict=True):
        if record.probe_id == probe_id:
            kept.records.append(record)
            kept.indices.append(index)
        else:
            reason = f"Invalid probe_id {record.probe_id!r}. The token belongs to {probe_id!r}."
            kept.rejected.append(Rejection(index, "$.probe_id", reason, record.record_id))
    kept.rejected.sort(key=lambda rejection: rejection.index)
    return kept
