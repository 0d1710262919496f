"""Enrolment, tasks and the list of probes."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from collector.access import Role
from collector.bodies import answer, receive_json
from collector.callers import address_of, identify
from collector.replies import Problem
from collector.routes import Parameter, Route
from collector.service import Service
from collector.tabular import integer, unknown_parameters
from measurement.record import Key, Position, Text

_KEY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")


class Enrolment(msgspec.Struct, forbid_unknown_fields=True):
    """A one-time code."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]


class Enrolled(msgspec.Struct):
    """The probe's token; it is shown this once."""

    token: str
    probe_id: str


Moment = Annotated[datetime, Meta(tz=True)]


class Task(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a probe shall do. `schedule` is `every 15m`, `daily 08:00` or `once`, as `haidang-probe run` reads it.

    `position` is where: a drive tests when it comes near. `valid_until` is the first moment that it no longer holds.
    """

    id: Key | None = None
    schedule: Annotated[str, Meta(min_length=1, max_length=100)]
    peers: Annotated[list[Text], Meta(max_length=32)] = []
    campaign: Text | None = None
    budget_bytes: Annotated[int, Meta(ge=0, le=2**50)] | None = None
    position: Position | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None


class Tasks(msgspec.Struct):
    """The tasks of the probe that asks."""

    tasks: list[Task]


class NewTask(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A task for one probe, or for all where `probe_id` is `*`."""

    probe_id: Annotated[str, Meta(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._:-]{0,63})$")]
    task: Task


class Probe(msgspec.Struct, kw_only=True):
    """One probe, as the collector knows it."""

    probe_id: str
    title: str | None
    is_enrolled: bool
    enrolled_at: str | None
    last_seen_at: str | None
    last_started_at: str | None
    agent: str | None
    records_count: int
    backlog_count: int | None


class Probes(msgspec.Struct):
    """A page of probes; `next` is the cursor of the page after, null on the last."""

    probes: list[Probe]
    next: str | None


class Rename(msgspec.Struct, forbid_unknown_fields=True):
    """A title for people; the id never changes."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]


async def post_enrol(request: Request, service: Service) -> Response:
    """Turn a one-time code into a token."""
    address = address_of(request, service)
    wait = service.failures.blocked_s(address)
    if wait:
        raise Problem("too-many-requests", "Too many failed attempts.", retry_after_s=wait)
    enrolment = await receive_json(request, Enrolment, 4096)
    enrolled = service.access.enrol(enrolment.code)
    if enrolled is None:
        # A guess costs ten tries: 31^16 codes and six guesses a minute.
        service.failures.wait_s(address, 10)
        raise Problem("code-unknown")
    return _json(Enrolled(enrolled[1], enrolled[0]))


async def get_tasks(request: Request, service: Service) -> Response:
    """Return the tasks of the probe that asks."""
    identity = identify(request, service, Role.PROBE)
    service.presence.heard(identity.name, service.now())
    rows = service.archive.connection.execute(
        "SELECT body FROM tasks WHERE probe_id IN (?, '*') ORDER BY created_at, id", (identity.name,)
    )
    return _json(Tasks([msgspec.json.decode(body, type=Task) for (body,) in rows]))


async def post_task(request: Request, service: Service) -> Response:
    """Create or replace a task."""
    identify(request, service, Role.ADMIN)
    new = await receive_json(request, NewTask)
    task = new.task if new.task.id else msgspec.structs.replace(new.task, id=f"task-{secrets.token_hex(6)}")
    with service.archive.transaction() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?)",
            (task.id, new.probe_id, msgspec.json.encode(task), service.now().isoformat(timespec="seconds")),
        )
    return _json(task, 201)


async def delete_task(request: Request, service: Service) -> Response:
    """Delete a task."""
    identify(request, service, Role.ADMIN)
    with service.archive.transaction() as connection:
        count = connection.execute("DELETE FROM tasks WHERE id = ?", (request.path_params["id"],)).rowcount
    if count == 0:
        raise Problem("not-found")
    return Response(status_code=204)


_COLUMNS = """p.probe_id, p.title,
    EXISTS (SELECT 1 FROM tokens t WHERE t.name = p.probe_id AND t.role = 'probe' AND t.revoked_at IS NULL),
    p.enrolled_at, p.last_seen_at, p.last_started_at, p.agent, p.records_count, p.backlog_count"""


async def get_probes(request: Request, service: Service) -> Response:
    """Return probes by id, a page at a time."""
    identify(request, service, Role.READER)
    unknown_parameters(request, ("limit", "after"))
    limit = integer(request, "limit", 100, 1, 1000)
    after = request.query_params.get("after", "")
    service.presence.flush()
    rows = service.archive.connection.execute(
        f"SELECT {_COLUMNS} FROM probes p WHERE p.probe_id > ? ORDER BY p.probe_id LIMIT ?", (after, limit + 1)
    ).fetchall()
    probes = [_probe(row) for row in rows[:limit]]
    return _json(Probes(probes, probes[-1].probe_id if len(rows) > limit else None))


def _probe(row: tuple[str, str | None, int, str | None, str | None, str | None, str | None, int, int | None]) -> Probe:
    names = Probe.__struct_fields__
    values = dict(zip(names, row, strict=True))
    return Probe(**values | {"is_enrolled": bool(row[2])})  # type: ignore[arg-type]


async def get_probe(request: Request, service: Service) -> Response:
    """Return one probe."""
    identify(request, service, Role.READER)
    service.presence.flush()
    return _json(_found(service, request.path_params["probe_id"]))


def _found(service: Service, probe_id: str) -> Probe:
    row = service.archive.connection.execute(
        f"SELECT {_COLUMNS} FROM probes p WHERE p.probe_id = ?", (probe_id,)
    ).fetchone()
    if row is None:
        raise Problem("not-found")
    return _probe(row)


async def patch_probe(request: Request, service: Service) -> Response:
    """Give a probe a title."""
    identify(request, service, Role.ADMIN)
    rename = await receive_json(request, Rename)
    service.presence.flush()
    probe_id = request.path_params["probe_id"]
    with service.archive.transaction() as connection:
        connection.execute("UPDATE probes SET title = ? WHERE probe_id = ?", (rename.title, probe_id))
    return _json(_found(service, probe_id))


async def delete_probe_token(request: Request, service: Service) -> Response:
    """Revoke a probe's token; its records stay."""
    identify(request, service, Role.ADMIN)
    if service.access.revoke(request.path_params["probe_id"]) == 0:
        raise Problem("not-found")
    return Response(status_code=204)


def _json(content: object, status: int = 200) -> Response:
    return Response(answer(content), status, media_type="application/json")


_ID = Parameter("probe_id", "path", {"type": "string"}, "the probe", True)
_LIMIT = Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1000}, "rows of a page")
_AFTER = Parameter("after", "query", {"type": "string"}, "the `next` of the page before")
ROUTES = (
    Route("POST", "/v1/enrol", post_enrol, "Turn a one-time code into a token", "Đổi mã ghi danh lấy mã truy cập",
          None, (), Enrolment, Enrolled, refusals=("code-unknown", "content-invalid", "too-many-requests")),
    Route("GET", "/v1/tasks", get_tasks, "Tasks of the probe that asks", "Nhiệm vụ của đầu đo", Role.PROBE, (), None,
          Tasks),
    Route("POST", "/v1/tasks", post_task, "Create or replace a task", "Tạo hoặc thay nhiệm vụ", Role.ADMIN, (), NewTask,
          Task, status=201, refusals=("content-invalid",)),
    Route("DELETE", "/v1/tasks/{id}", delete_task, "Delete a task", "Xóa nhiệm vụ", Role.ADMIN,
          (Parameter("id", "path", {"type": "string"}, "the task", True),), status=204, refusals=("not-found",)),
    Route("GET", "/v1/probes", get_probes, "Probes", "Danh sách đầu đo", Role.READER, (_LIMIT, _AFTER), None, Probes,
          refusals=("parameter-invalid",)),
    Route("GET", "/v1/probes/{probe_id}", get_probe, "One probe", "Một đầu đo", Role.READER, (_ID,), None, Probe,
          refusals=("not-found",)),
    Route("PATCH", "/v1/probes/{probe_id}", patch_probe, "Give a probe a title", "Đặt tên đầu đo", Role.ADMIN, (_ID,),
          Rename, Probe, refusals=("not-found", "content-invalid")),
    Route("DELETE", "/v1/probes/{probe_id}/token", delete_probe_token, "Revoke a probe's token", "Thu hồi mã truy cập",
          Role.ADMIN, (_ID,), status=204, refusals=("not-found",)),
)  # fmt: skip
