"""Identities: UUIDv7 of records, base stations of cells, summaries of legs."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measurement.errors import RecordError
from measurement.identity import unix_ms_of, uuid7
from measurement.radio import enb_of, gnb_of, summarise
from measurement.record import RadioSample
from measurement.vocabulary import Leg
from simulation.ids import uuid7s


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_uuid7_is_a_version_7_uuid_that_carries_its_time(unix_ms: int, random: bytes) -> None:
    text = uuid7(unix_ms, random)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert unix_ms_of(text) == unix_ms


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_later_ids_sort_later(unix_ms: int, one: bytes, other: bytes) -> None:
    assert uuid7(unix_ms, one) < uuid7(unix_ms + 1, other)


def test_many_at_once_are_well_formed_distinct_and_in_order() -> None:
    rng = np.random.default_rng(1)
    times = np.arange(1_700_000_000_000, 1_700_000_000_500)
    ids = uuid7s(times, rng.integers(0, 256, (500, 10), dtype=np.uint8)).to_list()
    assert len(set(ids)) == 500
    assert ids == sorted(ids)
    assert [unix_ms_of(text) for text in ids] == times.tolist()
    assert all(uuid.UUID(text).version == 7 for text in ids)
    assert uuid7s(times[:0], np.empty((0, 10), dtype=np.uint8)).to_list() == []


@pytest.mark.parametrize(
    ("unix_ms", "random", "message"),
    [
        (-1, bytes(10), "Invalid unix_ms -1. 48 bits, not negative."),
        (1 << 48, bytes(10), f"Invalid unix_ms {1 << 48}. 48 bits, not negative."),
        (0, bytes(9), "Invalid random of 9 bytes. Ten are needed."),
    ],
)
def test_wrong_parts_are_named(unix_ms: int, random: bytes, message: str) -> None:
    with pytest.raises(ValueError, match="Invalid") as caught:
        uuid7(unix_ms, random)
    assert str(caught.value) == message


def test_a_text_that_is_no_uuid_is_a_record_error() -> None:
    with pytest.raises(RecordError) as caught:
        unix_ms_of("not-a-uuid")
    assert caught.value.path == "$.record_id"


@given(st.integers(0, 2**20 - 1), st.integers(0, 255))
def test_enb_is_the_leading_20_bits(enb: int, sector: int) -> None:
    assert enb_of(enb << 8 | sector) == enb


@given(st.integers(22, 32), st.data())
def test_gnb_is_the_leading_bits_of_its_length(bits: int, data: st.DataObject) -> None:
    gnb = data.draw(st.integers(0, 2**bits - 1))
    sector = data.draw(st.integers(0, 2 ** (36 - bits) - 1))
    assert gnb_of(gnb << 36 - bits | sector, bits) == gnb


@pytest.mark.parametrize("bits", [21, 33])
def test_gnb_lengths_outside_the_standard_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=rf"Invalid gnb_id_bits {bits}. 22 to 32."):
        gnb_of(1, bits)


def sample(at_ms: float, leg: Leg = Leg.ANCHOR, *, serving: bool = True, **fields: float) -> RadioSample:
    return RadioSample(at_ms=at_ms, leg=leg, is_serving=serving, **fields)  # type: ignore[arg-type]


def test_summary_takes_the_last_identity_and_the_median_level_of_the_serving_cell() -> None:
    samples = [
        sample(0, cell_id=300, rsrp_dbm=-90.0),
        sample(1, cell_id=301, rsrp_dbm=-100.0),
        sample(2, rsrp_dbm=-80.0),
        sample(3, serving=False, cell_id=999, rsrp_dbm=-40.0),
        sample(4, Leg.NR, pci=7, rsrp_dbm=-70.0),
    ]
    anchor, nr = summarise(samples, Leg.ANCHOR), summarise(samples, Leg.NR)
    assert (anchor.cell_id, anchor.rsrp_dbm, anchor.sinr_db) == (301, -90.0, None)
    assert (nr.cell_id, nr.pci, nr.rsrp_dbm) == (None, 7, -70.0)
    assert set(summarise([], Leg.NR)) == {None}
