"""Blocks hold exactly what the JSON of the same records says."""

import random

import msgspec
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from archive.blocks import frame, without
from archive.frames import frame_from_bodies
from archive.gathering import gather, pack
from measurement.codec import encode
from measurement.record import Hop, Path, Record
from tests.archive.sample import record

GROUPS = ("position", "network", "radio", "latency", "throughput", "access", "server", "device", "campaign")


def patchy(noise: random.Random) -> Record:
    gone = {name: None for name in GROUPS if noise.random() < 0.3}
    hops = [Hop(ttl=index + 1, address=noise.choice((None, "192.0.2.0/24"))) for index in range(noise.randint(1, 3))]
    return record(noise, path=noise.choice((None, Path(hops=hops), Path(mtu_bytes=1500))), **gone)


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_blocks_and_json_make_the_same_frame(seed: int, count: int, size: int) -> None:
    noise = random.Random(seed)
    found = [patchy(noise) for _ in range(count)]
    bodies = [pack(found[start : start + size], {}) for start in range(0, count, size)]
    assert_frame_equal(frame(bodies, ["x"]), frame_from_bodies([encode(r) for r in found], ["x"]))


@given(st.integers(0, 2**32), st.sampled_from([8, 40]), st.sets(st.integers(0, 39)))
@settings(max_examples=40, deadline=None)
def test_rows_can_be_left_out(seed: int, count: int, dropped: set[int]) -> None:
    noise = random.Random(seed)
    found = [patchy(noise) for _ in range(count)]
    added = {"areas_x": [str(i) for i in range(count)], "flags": [["a"] if i % 2 else None for i in range(count)]}
    whole = frame([pack(found, added)], ["x"])
    kept = frame([without(pack(found, added), frozenset(dropped))], ["x"])
    assert_frame_equal(kept, whole.filter(~pl.int_range(count).is_in(list(dropped))))
    assert whole["flags"].to_list() == added["flags"]


def test_a_layer_that_is_gone_is_left_out_and_a_new_one_is_null() -> None:
    found = [record(random.Random(1))]
    row = frame([pack(found, {"areas_old": ["a"]})], ["new"]).row(0, named=True)
    assert row["areas_new"] is None
    assert "areas_old" not in row


def test_no_blocks_no_rows() -> None:
    assert frame([], ["x"]).height == 0


def test_blocks_of_before_that_hold_every_value_are_read() -> None:
    noise = random.Random(4)
    found = [patchy(noise) for _ in range(30)]
    plain = msgspec.msgpack.encode(gather(found).block)
    assert len(plain) > len(pack(found, {}))
    assert_frame_equal(frame([plain, pack(found, {})], ["x"]), frame([pack(found, {})] * 2, ["x"]))
