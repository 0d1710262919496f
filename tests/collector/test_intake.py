"""The decoder on any bytes: it returns records or refusals with a path, and never anything else."""

import gzip
import random
import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.intake import Batch, IntakeError, expand, read
from measurement.codec import encode
from tests.archive.sample import records

GOOD = [encode(r) for r in records(4)]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def judged(body: bytes) -> Batch | None:
    try:
        batch = read(body)
    except IntakeError as error:
        assert error.code in ("body-empty", "json-invalid", "too-many-records")
        return None
    assert sorted([*batch.indices, *(r.index for r in batch.rejected)]) == list(
        range(len(batch.indices) + len(batch.rejected))
    )
    assert all(r.path.startswith("$") and r.reason for r in batch.rejected)
    msgspec.json.encode(batch.rejected)
    return batch


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes(body: bytes) -> None:
    judged(body)


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_any_json(value: object) -> None:
    batch = judged(msgspec.json.encode(value))
    assert batch is None or not batch.records


@given(st.randoms(use_true_random=False), st.integers(1, 8))
@settings(max_examples=300, deadline=None)
def test_a_good_batch_with_bytes_changed(noise: random.Random, changes: int) -> None:
    body = bytearray(b"[" + b",".join(GOOD) + b"]")
    for _ in range(changes):
        body[noise.randrange(len(body))] = noise.randrange(256)
    judged(bytes(body))


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_as_gzip(body: bytes) -> None:
    for data in (body, gzip.compress(body), gzip.compress(body)[: len(body) // 2]):
        try:
            assert expand(data, "gzip", 4096) in (body, b"")
        except IntakeError as error:
            assert error.code in ("encoding-broken", "body-too-large")


def test_the_limit_holds_while_inflating() -> None:
    bomb = gzip.compress(b"\0" * (1 << 24))
    with pytest.raises(IntakeError, match="4096 bytes"):
        expand(bomb, "gzip", 4096)
    many = gzip.compress(b"x" * 3000) * 3
    with pytest.raises(IntakeError, match="4096 bytes"):
        expand(many, "gzip", 4096)


def test_the_fast_and_the_slow_path_agree() -> None:
    quick = read(b"\n".join(GOOD))
    slow = read(b"\n".join([*GOOD, b"{}"]))
    assert slow.records == quick.records
    assert [r.index for r in slow.rejected] == [4]


def test_nulls_and_spaces_are_not_twins() -> None:
    spaced = msgspec.json.format(GOOD[0][:-1] + b',"campaign":null}', indent=2)
    assert len(read(spaced.replace(b"\n", b" ")).records) == 1
    assert len(read(b"[" + spaced.replace(b'": ', b'" : ') + b"]").records) == 1


LARGE = [encode(found) for found in records(30, seed=7)]


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'"campaign":null,', b"")[:-1] + b',"probe_id":"probe-1"}',
        lambda line: line[:-1] + b',"probe_id" :"probe-1"}',
        lambda line: line.replace(b'"outcome":{', b'"outcome":{"status":"partial",'),
        lambda line: line.replace(b'"radio":[{', b'"radio":[{"at_ms":1.0,'),
        lambda line: line.replace(b'"source":"gnss"', b'"source":"gnss","source":"gnss"'),
    ],
)
def test_a_key_that_stands_twice_is_found_in_a_large_batch(change: Callable[[bytes], bytes]) -> None:
    batch = read(b"\n".join([*LARGE[:20], change(LARGE[20]), *LARGE[21:]]))
    assert len(batch.records) == 29
    assert [r.index for r in batch.rejected] == [20]
    assert "stands twice" in batch.rejected[0].reason


def test_a_large_batch_is_read_as_each_record_alone() -> None:
    texts = [line[:-1] + b',"campaign":"a: b","sequence":null}' for line in LARGE]
    for lines in (LARGE, texts):
        assert read(b"\n".join(lines)).records == [read(line).records[0] for line in lines]


KEYS = (
    b'"probe_id":"probe-1",',
    b'"pci":7,',
    b'"flags":["a"],',
    b'"campaign":null,',
    b'"agent" :"x:y",',
    b'"is_simulated":false,',
)


@given(st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_a_large_batch_with_keys_put_in_is_judged_as_each_record_alone(noise: random.Random, changes: int) -> None:
    lines = list(LARGE)
    for _ in range(changes):
        number = noise.randrange(len(lines))
        places = [m.end() for m in re.finditer(rb"[{,](?=\")", lines[number])]
        at = noise.choice(places)
        lines[number] = lines[number][:at] + noise.choice(KEYS) + lines[number][at:]
    alone = [read(line) for line in lines]
    batch = read(b"\n".join(lines))
    assert batch.records == [record for one in alone for record in one.records]
    assert [r.reason for r in batch.rejected] == [r.reason for one in alone for r in one.rejected]


def test_a_field_of_the_collector_is_refused_in_a_large_batch() -> None:
    given_areas = LARGE[0][:-1] + b',"areas":{"a":"b"}}'
    assert [r.path for r in read(b"\n".join([given_areas, *LARGE[1:]])).rejected] == ["$.areas"]


def test_a_checksum_that_does_not_fit_is_a_broken_body() -> None:
    body = bytearray(gzip.compress(b"x" * 1000))
    body[-6] ^= 1
    with pytest.raises(IntakeError) as caught:
        expand(bytes(body), "gzip", 4096)
    assert caught.value.code == "encoding-broken"
