"""Deliver what the spool holds: gzip batches, an acknowledgement for each record, patience, and the right time.

| answer | what happens |
|---|---|
| 202, 200, 422 with a verdict | accepted records leave the spool, rejected ones are set aside with path and reason |
| 400, 413, 415, 422 without one | the batch is halved; a single record is set aside |
| 401, 403 | everything stays; the log says that the token is refused |
| 429, 503, any other, none | everything stays; next try after Retry-After or a doubling, jittered pause |
"""

from __future__ import annotations

import gzip
import logging
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from measurement.errors import DeliveryError
from probe.boot import boot_clock_ms, boot_id
from probe.collector_client import CollectorClient, Reply
from probe.spool.spool import Refused, Spool, Waiting

BATCH_RECORDS = 200
BATCH_BYTES = 512 * 1024  # before compression; a lost mobile upload of it costs under 100 kB on the air
BACKOFF_S = (5.0, 3600.0)  # first and longest pause
CLOCK_TOLERANCE_S = 2.0  # the Date header counts whole seconds
SUSPECT = (400, 413, 415, 422)

_log = logging.getLogger("haidang.report")


class _Rejection(msgspec.Struct):
    index: int
    path: str = "$"
    reason: str = "refused"


class _Verdict(msgspec.Struct):
    accepted: list[str]
    rejected: list[_Rejection] = []


class Delivery(NamedTuple):
    """What one turn delivered. `error` is None where all went through."""

    accepted_count: int
    refused_count: int
    error: str | None


class Reporter:
    """Takes the spool to the collector. Nothing leaves the spool without the collector's word."""

    def __init__(
        self,
        spool: Spool,
        client: CollectorClient,
        *,
        rng: random.Random | None = None,
        boot_ms: Callable[[], float] = boot_clock_ms,
        batch_records: int = BATCH_RECORDS,
    ) -> None:
        self._spool, self._client, self._boot_ms = spool, client, boot_ms
        self._rng = rng or random.Random()
        self._batch_records = self._room = batch_records
        self._boot_id = boot_id()
        self._epoch: datetime | None = None  # the collector's time at the boot of this device
        self.failure_count = 0  # in a row
        self.retry_after_s: float | None = None
        self.accepted_count = self.refused_count = 0

    def deliver(self, max_batches: int = 1000) -> Delivery:
        """Deliver until the spool is empty, the batches are used up or something fails."""
        accepted = refused = 0
        try:
            for _ in range(max_batches):
                waiting = self._spool.batch(self._room, BATCH_BYTES)
                if not waiting:
                    break
                if self._epoch is None:
                    self._learn_time(self._client.get("/healthz"))
                taken, returned = self._send(waiting)
                accepted, refused = accepted + taken, refused + returned
        except DeliveryError as error:
            self.failure_count += 1
            self.retry_after_s = error.retry_after_s
            _log.warning("not delivered: %s; %d records wait", error, self._spool.depth().waiting_count)
            return Delivery(accepted, refused, str(error))
        if self.failure_count:
            _log.info("collector answers again")
        self.failure_count, self.retry_after_s = 0, None
        return Delivery(accepted, refused, None)

    def pause_s(self) -> float:
        """Return how long to wait before the next try: 0 after a success, else doubled each time, jittered."""
        if not self.failure_count:
            return 0.0
        first, longest = BACKOFF_S
        pause = min(longest, first * 2.0 ** min(self.failure_count - 1, 20))
        return max(self.retry_after_s or 0.0, pause * self._rng.uniform(0.5, 1.0))

    def _send(self, waiting: Sequence[Waiting]) -> tuple[int, int]:
        body = b"\n".join(self._dated(record) for record in waiting)
        self._spool.attempted([record.record_id for record in waiting])
        packed = gzip.compress(body, compresslevel=6, mtime=0)
        behind = self._spool.depth().waiting_count - len(waiting)
        reply = self._client.post(
            "/v1/records", packed, content_type="application/x-ndjson", is_gzip=True, backlog=max(0, behind)
        )
        self._learn_time(reply)
        verdict = _verdict(reply)
        if verdict is not None:
            return self._settle(waiting, verdict)
        if reply.status in SUSPECT:
            return self._narrow(waiting, reply)
        raise DeliveryError(f"{self._client.url}: {_meaning(reply)}", reply.retry_after_s)

    def _settle(self, waiting: Sequence[Waiting], verdict: _Verdict) -> tuple[int, int]:
        sent = {record.record_id for record in waiting}
        accepted = self._spool.acknowledge(record_id for record_id in set(verdict.accepted) & sent)
        refused = [
            Refused(waiting[r.index].record_id, r.path, r.reason)
            for r in verdict.rejected
            if 0 <= r.index < len(waiting)
        ]
        if refused:
            self._spool.refuse(refused)
            first = refused[0]
            _log.error(
                "%d records refused; the first: %s %s %s", len(refused), first.record_id, first.path, first.reason
            )
        if not accepted and not refused:
            raise DeliveryError(f"{self._client.url}: answered without a word on any record")
        self._room = self._batch_records
        self.accepted_count, self.refused_count = self.accepted_count + accepted, self.refused_count + len(refused)
        return accepted, len(refused)

    def _narrow(self, waiting: Sequence[Waiting], reply: Reply) -> tuple[int, int]:
        if len(waiting) > 1:
            self._room = max(1, len(waiting) // 2)
            return 0, 0
        self._spool.refuse([Refused(waiting[0].record_id, "$", _meaning(reply))])
        _log.error("record %s refused: %s", waiting[0].record_id, _meaning(reply))
        self.refused_count += 1
        return 0, 1

    def _learn_time(self, reply: Reply) -> None:
        if reply.date is not None:
            self._epoch = reply.date - timedelta(milliseconds=self._boot_ms())

    def _dated(self, waiting: Waiting) -> bytes:
        """Return the body, with its start corrected where the device's clock was wrong and this boot dates it.

        A clock that the system calls synchronised is left as it is: then the collector's may be the wrong one.
        """
        record = msgspec.json.decode(waiting.body)
        record["attempt_count"] = waiting.attempt_count + 1
        if self._epoch is not None and waiting.boot_id == self._boot_id:
            true_start = self._epoch + timedelta(milliseconds=waiting.boot_ms)
            told_start = datetime.fromisoformat(record["started_at"])
            offset = true_start - told_start
            if record.get("clock_synchronised") is not True and abs(offset.total_seconds()) > CLOCK_TOLERANCE_S:
                record["started_at"] = true_start.astimezone(UTC).isoformat().replace("+00:00", "Z")
                record["clock_synchronised"] = False
                record["clock_offset_ms"] = offset.total_seconds() * 1000
        return msgspec.json.encode(record)


def _verdict(reply: Reply) -> _Verdict | None:
    if reply.status not in (200, 202, 422):
        return None
    try:
        verdict = msgspec.json.decode(reply.body, type=_Verdict)
    except msgspec.MsgspecError:
        return None
    return verdict if verdict.accepted or verdict.rejected else None


def _meaning(reply: Reply) -> str:
    if reply.status in (401, 403):
        return f"HTTP {reply.status}: the token is refused; enrol this probe again"
    text = reply.body[:200].decode("utf-8", "replace").strip()
    return f"HTTP {reply.status} {text}".strip()
