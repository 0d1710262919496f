"""Records in, over real HTTP: what is kept, what is refused, and how it is told."""

import random
import zlib
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from archive.frames import frame_from_bodies
from archive.store import Archive
from measurement.codec import encode
from measurement.columns import COLUMNS
from measurement.record import COLLECTOR_FIELDS, Position
from tests.archive.sample import record, records
from tests.collector.running import Running, array, lines, zipped

JSON = {"Content-Type": "application/json"}


def test_records_are_acknowledged_stored_placed_and_stamped(collector: Running, probe: str) -> None:
    sent = records(5, seed=1)
    reply = collector.post(sent, probe)
    assert reply.status == 202
    assert reply.json == {"accepted": [r.record_id for r in sent], "rejected": [], "duplicate_count": 0}
    assert {r.record_id for r in sent} <= set(collector.stored())


def test_the_clock_of_the_collector_is_in_every_answer(collector: Running) -> None:
    for path in ("/healthz", "/v1/tasks", "/nowhere"):
        clock = datetime.fromisoformat(collector.call("GET", path).headers["haidang-clock"])
        assert abs(clock - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "form", ["array", "lines", "object", "gzip array", "gzip lines", "gzip members", "deflate", "bom"]
)
def test_every_form_of_body(collector: Running, probe: str, form: str) -> None:
    sent = records(3, seed=hash(form) % 1000) if form != "object" else records(1, seed=77)
    body = {
        "array": array(sent),
        "lines": lines(sent) + b"\n",
        "object": encode(sent[0]),
        "gzip array": zipped(array(sent)),
        "gzip lines": zipped(lines(sent)),
        "gzip members": zipped(lines(sent[:1]) + b"\n") + zipped(lines(sent[1:])),
        "deflate": zlib.compress(array(sent)),
        "bom": b"\xef\xbb\xbf" + array(sent),
    }[form]
    headers = dict(JSON)
    if form.startswith("gzip"):
        headers["Content-Encoding"] = "gzip"
    if form == "deflate":
        headers["Content-Encoding"] = "deflate"
    reply = collector.call("POST", "/v1/records", token=probe, body=body, headers=headers)
    assert reply.status == 202, reply.body
    assert reply.json["accepted"] == [r.record_id for r in sent]


def test_duplicates_are_accepted_and_counted(collector: Running, probe: str) -> None:
    before = collector.metrics()
    sent = records(4, seed=2)
    assert collector.post(sent, probe).json["duplicate_count"] == 0
    again = collector.post([*sent, sent[0]], probe).json
    assert again["duplicate_count"] == 5
    assert again["accepted"] == [r.record_id for r in [*sent, sent[0]]]
    after = collector.metrics()
    assert after["haidang_records_duplicate_total"] - before["haidang_records_duplicate_total"] == 5
    assert collector.stored().count(sent[0].record_id) == 1


def test_one_bad_among_ten_thousand_costs_only_itself(collector: Running, probe: str) -> None:
    sent = records(10_000, seed=3)
    body = [encode(r) for r in sent]
    body[4_321] = body[4_321].replace(b'"rsrp_dbm":-', b'"rsrp_dbm":-9')
    reply = collector.call(
        "POST", "/v1/records", token=probe, body=zipped(b"\n".join(body)), headers=JSON | {"Content-Encoding": "gzip"}
    )
    assert reply.status == 202
    assert len(reply.json["accepted"]) == 9_999
    (rejected,) = reply.json["rejected"]
    assert (rejected["index"], rejected["path"]) == (4_321, "$.radio[0].rsrp_dbm")
    assert rejected["record_id"] == sent[4_321].record_id
    assert sent[4_321].record_id not in collector.stored()


def test_a_refused_record_is_told_why_in_the_language_asked_for(collector: Running, probe: str) -> None:
    bad = encode(records(1, seed=77)[0]).replace(b'"pci":101', b'"pci":9999')
    headers = {"Content-Type": "application/json", "Accept-Language": "vi-VN,vi;q=0.9,en;q=0.5"}
    reasons = [
        collector.call("POST", "/v1/records", token=probe, body=bad, headers=sent).json["rejected"][0]["reason"]
        for sent in (headers, headers | {"Accept-Language": "en"})
    ]
    assert reasons == ["Cần `int` <= 1007", "Expected `int` <= 1007"]


_GOOD = encode(records(1, seed=4)[0])


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (_GOOD.replace(b'"schema_version":1', b'"schema_version":1,"schema_version":1'), "$"),
        (_GOOD.replace(b'"mcc":"452"', b'"mcc":"452","mcc" :"453"'), "$"),
        (_GOOD.replace(b'"duration_ms":21000.0', b'"duration_ms":NaN'), "$"),
        (_GOOD.replace(b'"duration_ms":21000.0', b'"duration_ms":1e999'), "$"),
        (_GOOD.replace(b'"duration_ms":21000.0', b'"duration_ms":' + b"9" * 400), "$"),
        (_GOOD.replace(b'"duration_ms":21000.0', b'"duration_ms":-1'), "$.duration_ms"),
        (_GOOD.replace(b'"duration_ms":21000.0', b'"duration_ms":"21000"'), "$.duration_ms"),
        (_GOOD.replace(b'"duration_ms":21000.0', b'"duration_s":21'), "$"),
        (_GOOD.replace(b'"mcc":"452"', b'"mcc":"45"'), "$.network.mcc"),
        (_GOOD.replace(b'"agent":"haidang', b'"agent":"\xff\xfe'), "$"),
        (_GOOD[:-1] + b',"received_at":"2026-11-22T00:00:00Z"}', "$.received_at"),
        (_GOOD[:-1] + b',"flags":["x"]}', "$.flags"),
        (_GOOD.replace(b'"record_id":"', b'"record_id":"x'), "$.record_id"),
        (b"7", "$"),
        (b"null", "$"),
        (b"[" * 20_000 + b"]" * 20_000, "$"),
    ],
    ids=[
        "a key twice", "a key twice, spaced", "NaN", "infinite", "huge", "negative", "text", "unknown field",
        "short mcc", "wrong encoding", "received_at", "flags", "record_id", "a number", "null", "deep",
    ],
)  # fmt: skip
def test_a_bad_record_is_refused_with_its_path(collector: Running, probe: str, bad: bytes, path: str) -> None:
    assert bad != _GOOD
    good = records(1, seed=len(bad))
    reply = collector.call("POST", "/v1/records", token=probe, body=bad + b"\n" + encode(good[0]), headers=JSON)
    if bad.startswith(b"[["):  # it begins like an array, so the whole body is one broken array
        assert (reply.status, reply.json["code"]) == (400, "json-invalid")
        return
    assert reply.status == 202, reply.body
    (rejected,) = reply.json["rejected"]
    assert rejected["index"] == 0
    assert rejected["path"].startswith(path)
    assert rejected["reason"]
    assert reply.json["accepted"] == [good[0].record_id]


def test_a_record_of_another_probe_is_refused(collector: Running, probe: str) -> None:
    mine, other = records(1, seed=5)[0], records(1, seed=6, probe_id="probe-2")[0]
    reply = collector.post([other, mine], probe)
    assert reply.json["accepted"] == [mine.record_id]
    assert reply.json["rejected"][0]["path"] == "$.probe_id"
    assert other.record_id not in collector.stored()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "body-empty"),
        (b"   ", {}, 400, "body-empty"),
        (b"[{", {}, 400, "json-invalid"),
        (zipped(_GOOD)[:-9], {"Content-Encoding": "gzip"}, 400, "encoding-broken"),
        (_GOOD, {"Content-Encoding": "gzip"}, 400, "encoding-broken"),
        (_GOOD, {"Content-Encoding": "br"}, 415, "encoding-unknown"),
        (_GOOD, {"Content-Type": "image/png"}, 415, "media-unknown"),
        (zipped(b" " * (70 << 20)), {"Content-Encoding": "gzip"}, 413, "body-too-large"),
        (b" " * ((8 << 20) + 1), {}, 413, "body-too-large"),
        (b"\n".join([b"{}"] * 10_001), {}, 413, "too-many-records"),
    ],
    ids=["empty", "blank", "cut", "truncated gzip", "no gzip", "br", "png", "bomb", "large", "many"],
)
def test_a_bad_request_is_refused_as_a_whole(
    collector: Running, probe: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    reply = collector.call("POST", "/v1/records", token=probe, body=body, headers=JSON | headers)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"


def test_refusals_speak_the_language_asked_for(collector: Running) -> None:
    for language, title in (
        ("vi-VN,vi;q=0.9", "Cần có mã truy cập (bearer token)."),
        ("en", "A bearer token is needed."),
    ):
        reply = collector.call("GET", "/v1/tasks", headers={"Accept-Language": language})
        assert (reply.status, reply.json["title"]) == (401, title)
        assert reply.headers["content-language"] == language[:2]


def test_doubtful_records_are_kept_and_flagged(collector: Running, probe: str) -> None:
    now = datetime.now(UTC)
    future = records(1, seed=8, at=now + timedelta(hours=1))[0]
    mock = record(random.Random(9), position=Position(longitude_deg=106.7, latitude_deg=20.85, is_mock=True))
    assert len(collector.post([future, mock], probe).json["accepted"]) == 2
    with Archive(collector.folder) as archive, archive.snapshot() as snapshot:
        rows = {
            row["record_id"]: row["flags"]
            for day in snapshot.days
            for row in snapshot.frame(day, ["record_id", "flags"]).to_dicts()
        }
    assert "started-in-future" in rows[future.record_id]
    assert "position-mock" in rows[mock.record_id]


def test_the_invariants_of_the_metrics_hold(collector: Running, probe: str) -> None:
    collector.call("POST", "/v1/records", token=probe, body=b"{}\n" + encode(records(1, seed=11)[0]), headers=JSON)
    metrics = collector.metrics()
    rejected = sum(v for k, v in metrics.items() if k.startswith("haidang_records_rejected_total{"))
    assert metrics["haidang_records_received_total"] == metrics["haidang_records_accepted_total"] + rejected
    assert (
        metrics["haidang_records_accepted_total"]
        == metrics["haidang_records_new_total"] + metrics["haidang_records_duplicate_total"]
    )
    assert metrics["haidang_records_new_total"] == len(collector.stored())


def test_a_connection_that_ends_within_a_body_hurts_nobody(collector: Running, probe: str) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", collector.port)) as raw:
        head = f"POST /v1/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {probe}\r\nContent-Length: 1000\r\n\r\n"
        raw.sendall(head.encode() + b"[{")
    assert collector.call("GET", "/healthz").status == 200


def test_each_record_stands_in_the_archive_as_it_was_sent(collector: Running, probe: str) -> None:
    sent = records(3, seed=12)
    collector.post(sent, probe)
    with Archive(collector.folder) as archive, archive.snapshot() as snapshot:
        names = [c.name for c in COLUMNS if c.path and c.path[0] not in COLLECTOR_FIELDS]
        added = ["received_at", "areas_communes_2025", "areas_provinces_2025", "h3_cell"]
        frame = pl.concat(snapshot.frame(day, [*names, *added]) for day in snapshot.days)
    ids = pl.DataFrame({"record_id": [r.record_id for r in sent]})
    kept = ids.join(frame, on="record_id", how="left", maintain_order="left")
    expected = frame_from_bodies([encode(r) for r in sent], []).select(names)
    assert_frame_equal(kept.select(names), expected)
    assert kept["received_at"].null_count() == kept["h3_cell"].null_count() == 0
    assert kept["areas_communes_2025"].drop_nulls().len() > 0
