"""Records in: `POST /v1/records` from probes, `POST /v1/browser-records` from browsers with a ticket."""

from __future__ import annotations

import msgspec
from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from collector.access import Role
from collector.bodies import answer, check_media, receive
from collector.callers import address_of, identify
from collector.intake import Batch, IntakeError, Rejection, expand, read
from collector.judging import Submission, judge
from collector.reasons import in_vietnamese
from collector.replies import Problem, speaks_vietnamese
from collector.routes import Parameter, Route
from collector.service import QUICK_BYTES, Service
from collector.settled import Settled
from measurement.record import Position, Record
from measurement.vocabulary import Mode


class Acknowledgement(msgspec.Struct, kw_only=True):
    """What became of each record of a request."""

    accepted: list[str]
    rejected: list[Rejection]
    duplicate_count: int


async def post_records(request: Request, service: Service) -> Response:
    """Keep records and acknowledge them once they are durable."""
    start = service.monotonic()
    identity = identify(request, service, Role.PROBE)
    check_media(request)
    service.check_room()
    body = await receive(request, service.limits.body_bytes)
    service.metrics.count("haidang_received_bytes_total", len(body))
    encoding, at = request.headers.get("content-encoding", ""), service.now()
    owner = identity.name if identity.role is Role.PROBE else None
    submission = Submission(body, encoding, service.limits.expanded_bytes, owner, at)
    try:
        if len(body) <= QUICK_BYTES and not encoding:
            settled = judge(service.admission, submission)
        else:
            settled = await service.workers.judge(submission, identity.name)
    except IntakeError as error:
        raise Problem(error.code, error.detail) from None
    receipt = await service.keep(settled.incoming)
    service.count(settled, receipt)
    backlog = request.headers.get("haidang-backlog", "")
    service.presence.brought(
        settled.notes,
        at,
        int(backlog) if backlog.isascii() and backlog.isdigit() and len(backlog) < 10 else None,
    )
    service.metrics.observe("haidang_acknowledge_seconds", service.monotonic() - start)
    return _acknowledge(request, settled, len(receipt.duplicates))


def _acknowledge(request: Request, settled: Settled, duplicate_count: int) -> Response:
    rejected = settled.rejected
    if rejected and speaks_vietnamese(request):
        rejected = [structs.replace(each, reason=in_vietnamese(each.reason)) for each in rejected]
    content = Acknowledgement(accepted=settled.accepted, rejected=rejected, duplicate_count=duplicate_count)
    return Response(answer(content), 202, media_type="application/json")


COARSE_DEG = 0.001
"""Browser positions are kept to about 100 m: enough for a commune, too little for a door."""


def coarsen(record: Record) -> Record:
    """Return a browser's record with its position coarsened."""
    position = record.position
    if position is None:
        return record
    rough = Position(
        longitude_deg=round(position.longitude_deg, 3),
        latitude_deg=round(position.latitude_deg, 3),
        accuracy_m=max(position.accuracy_m or 0.0, 100.0),
        source=position.source,
        environment=position.environment,
    )
    return msgspec.structs.replace(record, position=rough)


def _not_a_browser(record: Record, service: Service) -> Rejection | None:
    """Return why a record cannot come from a browser: it says so itself, or bears an enrolled probe's name."""
    if record.mode is not Mode.BROWSER:
        return Rejection(0, "$.mode", f"Invalid mode {record.mode}. Only browser here.", record.record_id)
    if service.access.is_taken(record.probe_id):
        return Rejection(0, "$.probe_id", f"Invalid probe_id {record.probe_id!r}. It is taken.", record.record_id)
    return None


async def post_browser_record(request: Request, service: Service) -> Response:
    """Keep one record of a browser that holds a ticket from the peer's test."""
    check_media(request)
    address = address_of(request, service)
    wait = service.by_ticket.wait_s(address)
    if wait:
        raise Problem("too-many-requests", retry_after_s=wait)
    service.check_room()
    nonce = service.tickets.nonce_of(request.headers.get("haidang-ticket", ""))
    if nonce is None:
        raise Problem("ticket-invalid")
    body = await receive(request, 64 << 10)
    try:
        batch = read(expand(body, request.headers.get("content-encoding", ""), 256 << 10))
    except IntakeError as error:
        raise Problem(error.code, error.detail) from None
    if len(batch.records) + len(batch.rejected) != 1:
        raise Problem("too-many-records", "One record for one ticket.")
    kept = Batch([], [], list(batch.rejected))
    for record in batch.records:
        refusal = _not_a_browser(record, service)
        if refusal is not None:
            kept.rejected.append(refusal)
        else:
            kept.records.append(coarsen(record))
            kept.indices.append(0)
    settled = service.admission.settle(kept, service.now())
    if kept.records:
        service.tickets.spend(nonce)
    receipt = await service.keep(settled.incoming)
    service.count(settled, receipt)
    return _acknowledge(request, settled, len(receipt.duplicates))


_ENCODING = Parameter("Content-Encoding", "header", {"type": "string", "enum": ["gzip", "identity"]}, "gzip or nothing")
_REFUSALS = (
    "body-empty",
    "token-missing",
    "role-too-low",
    "body-too-large",
    "media-unknown",
    "too-many-requests",
    "storage-full",
)
ROUTES = (
    Route("POST", "/v1/records", post_records, "Send records", "Gửi bản ghi", Role.PROBE,
          (_ENCODING,), list[Record], Acknowledgement, status=202, refusals=_REFUSALS),
    Route("POST", "/v1/browser-records", post_browser_record, "Send a browser's record", "Gửi bản ghi từ trình duyệt",
          None, (Parameter("Haidang-Ticket", "header", {"type": "string"}, "the ticket of the test", True),),
          Record, Acknowledgement, status=202, refusals=("ticket-invalid", *_REFUSALS)),
)  # fmt: skip
