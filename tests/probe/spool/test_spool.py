"""The spool keeps, hands out, deletes, drops, and counts."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.spool.spool import Refused, Spool


def ids_of(spool: Spool) -> list[str]:
    return [waiting.record_id for waiting in spool.batch(10_000, 2**40)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "spool.sqlite"


def test_a_record_outlives_the_process(path):
    with Spool(path) as spool:
        assert spool.keep("a", "complete", b'{"x":1}')
    with Spool(path) as spool:
        assert [(w.record_id, w.body) for w in spool.batch(10, 1000)] == [("a", b'{"x":1}')]


def test_a_record_is_kept_once(path):
    with Spool(path) as spool:
        spool.keep("a", "complete", b"1")
        spool.keep("a", "complete", b"2")
        assert spool.depth().waiting_count == 1
        assert spool.counters()["kept"] == 1


def test_only_the_acknowledged_leave(path):
    with Spool(path) as spool:
        for name in "abc":
            spool.keep(name, "complete", b"x")
        assert spool.acknowledge(["b", "unknown"]) == 1
        assert ids_of(spool) == ["a", "c"]


def test_a_refused_record_is_kept_with_its_reason_and_not_sent_again(path):
    with Spool(path) as spool:
        spool.keep("a", "complete", b"x")
        spool.keep("b", "complete", b"x")
        spool.refuse([Refused("a", "$.radio[0].rsrp_dbm", "Expected `float` >= -156")])
        assert ids_of(spool) == ["b"]
        assert spool.refused() == [Refused("a", "$.radio[0].rsrp_dbm", "Expected `float` >= -156")]
        assert spool.release() == 1
        assert ids_of(spool) == ["a", "b"]


def test_a_batch_is_bounded_by_bytes_but_never_empty(path):
    with Spool(path) as spool:
        for name in "abc":
            spool.keep(name, "complete", b"x" * 100)
        assert len(spool.batch(10, 250)) == 2
        assert len(spool.batch(10, 1)) == 1
        assert len(spool.batch(1, 10_000)) == 1


def test_the_oldest_complete_records_go_last(path):
    with Spool(path, max_bytes=500) as spool:
        for name, status in (
            ("c1", "complete"),
            ("f1", "failed"),
            ("p1", "partial"),
            ("r1", "complete"),
            ("c2", "complete"),
        ):
            spool.keep(name, status, b"x" * 100)
        spool.refuse([Refused("r1", "$", "no")])
        expected = []
        for fresh, left in (
            ("c3", ["c1", "f1", "p1", "c2", "c3"]),  # the refused one went
            ("c4", ["c1", "p1", "c2", "c3", "c4"]),  # the failed one
            ("c5", ["c1", "c2", "c3", "c4", "c5"]),  # the partial one
            ("c6", ["c1", "c2", "c3", "c4", "c5"]),  # the newest complete one
        ):
            spool.keep(fresh, "complete", b"x" * 100)
            assert ids_of(spool) == left
            expected = left
        assert expected[0] == "c1"
        counters = spool.counters()
        assert {name: counters[f"dropped_{name}"] for name in ("refused", "failed", "partial", "complete")} == {
            "refused": 1, "failed": 1, "partial": 1, "complete": 1,
        }  # fmt: skip
        assert counters["kept"] == 9


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["complete", "partial", "failed"]), st.integers(1, 400)), max_size=40))
def test_every_record_is_waiting_or_counted(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("spool") / "s.sqlite"
    with Spool(path, max_bytes=1000) as spool:
        for index, (status, size) in enumerate(records):
            spool.keep(f"r{index}", status, b"x" * size)
        counters, depth = spool.counters(), spool.depth()
        dropped = sum(n for name, n in counters.items() if name.startswith("dropped_"))
        assert depth.waiting_count + dropped == len(records)
        assert depth.byte_count <= 1000


def test_the_file_stays_bounded_while_records_come_and_go(path):
    limit = 256 * 1024
    with Spool(path, max_bytes=limit) as spool:
        rng = random.Random(1)
        for index in range(3000):
            spool.keep(f"r{index}", "complete", rng.randbytes(2000))
            if index % 100 == 99:
                spool.acknowledge(ids_of(spool)[:50])
        files = sum(file.stat().st_size for file in path.parent.iterdir())
    assert files < 2 * limit + 4 * 2**20


def test_a_sequence_number_is_never_given_twice(path):
    with Spool(path) as spool:
        first = [spool.next_sequence() for _ in range(3)]
    with Spool(path) as spool:
        assert [*first, spool.next_sequence()] == [1, 2, 3, 4]


def test_state_outlives_the_process(path):
    with Spool(path) as spool:
        assert spool.state("budget") is None
        spool.set_state(budget="17", tasks="[]")
    with Spool(path) as spool:
        assert (spool.state("budget"), spool.state("tasks")) == ("17", "[]")
