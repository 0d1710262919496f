"""Delivery: every answer a collector may give, over real HTTP on loopback."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from probe.collector_client import CollectorClient
from probe.report import BACKOFF_S, Reporter
from probe.spool.spool import Spool
from tests.probe.records import NOON, body, record
from tests.probe.report.answering import answering
from tests.servers.loopback import free_port

CLOCK = {"Haidang-Clock": "2026-07-01T05:00:00.000000Z"}


def accept(path, records):
    return 202, CLOCK, {"accepted": [r["record_id"] for r in records], "rejected": []}


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path / "spool.sqlite", boot_ms=lambda: 1_000_000.0) as spool:
        yield spool


def reporter(spool, url, **options):
    return Reporter(spool, CollectorClient(url, "secret"), rng=random.Random(1), boot_ms=lambda: 1_000_000.0, **options)


def fill(spool, count, **fields):
    for index in range(count):
        spool.keep(record(index).record_id, "complete", body(index, **fields))


def sent(server):
    return [r for path, _, records in server.requests if path == "/v1/records" for r in records]


def test_what_is_accepted_leaves_the_spool(spool):
    fill(spool, 450)
    with answering(accept) as server:
        delivery = reporter(spool, server.url).deliver()
        assert (delivery.accepted_count, delivery.error) == (450, None)
        assert spool.depth().waiting_count == 0
        posts = [(headers, records) for path, headers, records in server.requests if path == "/v1/records"]
    assert [len(records) for _, records in posts] == [200, 200, 50]
    assert [headers["Haidang-Backlog"] for headers, _ in posts] == ["250", "50", "0"]
    assert all(headers["Authorization"] == "Bearer secret" for headers, _ in posts)
    assert all(headers["Content-Encoding"] == "gzip" for headers, _ in posts)


def test_what_is_rejected_is_set_aside_with_path_and_reason_and_not_sent_again(spool):
    fill(spool, 3)

    def decide(path, records):
        ids = [r["record_id"] for r in records]
        return 202, CLOCK, {"accepted": ids[:1] + ids[2:], "rejected": [{"index": 1, "path": "$.x", "reason": "why"}]}

    with answering(decide) as server:
        one = reporter(spool, server.url)
        assert one.deliver()[:2] == (2, 1)
        assert one.deliver()[:2] == (0, 0)
        assert [(r.record_id, r.path, r.reason) for r in spool.refused()] == [(record(1).record_id, "$.x", "why")]
        assert len(sent(server)) == 3


def test_what_is_not_named_stays(spool):
    fill(spool, 3)

    def decide(path, records):
        return 202, CLOCK, {"accepted": [*(r["record_id"] for r in records[:1]), "foreign"], "rejected": []}

    with answering(decide) as server:
        assert reporter(spool, server.url).deliver(max_batches=1).accepted_count == 1
    assert spool.depth().waiting_count == 2


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_is_refused_as_a_whole_is_halved_until_the_culprit_stands_alone(spool, status):
    fill(spool, 16)
    culprit = record(11).record_id

    def decide(path, records):
        if any(r["record_id"] == culprit for r in records):
            return status, CLOCK, {"error": "no"}
        return accept(path, records)

    with answering(decide) as server:
        delivery = reporter(spool, server.url).deliver()
    assert delivery[:2] == (15, 1)
    assert [r.record_id for r in spool.refused()] == [culprit]
    assert spool.refused()[0].reason.startswith(f"HTTP {status}")


@pytest.mark.parametrize(
    ("status", "headers", "body_", "word"),
    [
        (401, {}, b"", "token is refused"),
        (403, {}, b"", "token is refused"),
        (404, {}, b"nothing here", "HTTP 404 nothing here"),
        (429, {"Retry-After": "120"}, b"", "HTTP 429"),
        (503, {"Retry-After": "30"}, b"", "HTTP 503"),
        (500, {}, b"", "HTTP 500"),
        (202, {}, b"<html>captive portal</html>", "HTTP 202"),
        (202, {}, b'{"accepted":[],"rejected":[]}', "HTTP 202"),
    ],
)
def test_everything_stays_where_the_collector_does_not_take_it(spool, status, headers, body_, word):
    fill(spool, 3)
    with answering(lambda path, records: (status, {**CLOCK, **headers}, body_)) as server:
        one = reporter(spool, server.url)
        delivery = one.deliver()
        assert word in (delivery.error or "")
        assert spool.depth()[:2] == (3, 0)
        assert one.pause_s() >= float(headers.get("Retry-After", 0))


def test_a_collector_that_is_away_is_tried_at_doubling_jittered_intervals(spool):
    fill(spool, 1)
    one = reporter(spool, f"http://127.0.0.1:{free_port()}")
    pauses = []
    for _ in range(14):
        assert one.deliver().error is not None
        pauses.append(one.pause_s())
    first, longest = BACKOFF_S
    for number, pause in enumerate(pauses):
        full = min(longest, first * 2**number)
        assert full / 2 <= pause <= full
    assert len(set(pauses)) == len(pauses)
    with answering(accept) as server:
        back = reporter(spool, server.url)
        back.failure_count = 9
        assert back.deliver().accepted_count == 1
        assert back.pause_s() == 0


def test_a_lost_answer_sends_the_same_ids_again(spool):
    fill(spool, 5)
    kept: dict[str, int] = {}

    def decide(path, records):
        for r in records:
            kept[r["record_id"]] = kept.get(r["record_id"], 0) + 1
        is_first = max(kept.values(), default=2) == 1
        return (500, CLOCK, b"the line broke after the commit") if is_first else accept(path, records)

    with answering(decide) as server:
        one = reporter(spool, server.url)
        one.deliver()
        assert spool.depth().waiting_count == 5
        one.deliver()
        attempts = {r["attempt_count"] for r in sent(server)[5:]}
    assert spool.depth().waiting_count == 0
    assert len(kept) == 5
    assert attempts == {2}


def test_a_record_of_an_unset_clock_gets_the_collectors_time(spool):
    """The clock said 1970 when the test began 40 s before now; now is five o'clock at the collector."""
    wrong = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    spool.keep(record(1).record_id, "complete", body(1, started_at=wrong), started_boot_ms=960_000.0)
    with answering(accept) as server:
        reporter(spool, server.url).deliver()
        (got,) = sent(server)
    true_start = NOON - timedelta(seconds=40)
    assert datetime.fromisoformat(got["started_at"]) == true_start
    assert got["clock_synchronised"] is False
    assert got["clock_offset_ms"] == pytest.approx((true_start - wrong).total_seconds() * 1000)


def test_a_synchronised_clock_and_a_small_difference_are_left_alone(spool):
    spool.keep(record(1).record_id, "complete", body(1, clock_synchronised=True), started_boot_ms=0.0)
    spool.keep(record(2).record_id, "complete", body(2, started_at=NOON - timedelta(seconds=41)), 960_000.0)
    with answering(accept) as server:
        reporter(spool, server.url).deliver()
        first, second = sent(server)
    assert datetime.fromisoformat(first["started_at"]) == NOON
    assert "clock_offset_ms" not in first
    assert "clock_offset_ms" not in second


def test_a_record_of_an_earlier_boot_keeps_its_time(spool, monkeypatch):
    wrong = datetime(1970, 1, 1, tzinfo=UTC)
    spool._boot_id = "an-earlier-boot"
    spool.keep(record(1).record_id, "complete", body(1, started_at=wrong), started_boot_ms=960_000.0)
    with answering(accept) as server:
        reporter(spool, server.url).deliver()
        assert datetime.fromisoformat(sent(server)[0]["started_at"]) == wrong
