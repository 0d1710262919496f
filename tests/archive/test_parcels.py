"""What was closed is what is opened, whichever parcels come together."""

import random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from archive import parcels
from archive.blocks import frame
from archive.gathering import pack
from tests.archive.test_blocks import patchy


def held(seed: int, count: int) -> pl.DataFrame:
    noise = random.Random(seed)
    flags = [["a", "b"] if noise.random() < 0.2 else None for _ in range(count)]
    return frame([pack([patchy(noise) for _ in range(count)], {"flags": flags, "areas_x": ["k"] * count})], ["x"])


@pytest.mark.parametrize("counts", [(1,), (300,), (40, 1, 17, 200)])
def test_opened_is_what_was_closed(counts: tuple[int, ...]) -> None:
    kept = [part.drop("radio", "path_hops") for part in (held(seed, count) for seed, count in enumerate(counts))]
    opened = parcels.open_all([parcels.close(part) for part in kept])
    whole = pl.concat(kept)
    assert_frame_equal(opened, whole.select(opened.columns))
    assert all(whole[name].null_count() == whole.height for name in set(whole.columns) - set(opened.columns))


def test_named_columns_alone_are_given_absent_ones_as_null() -> None:
    kept = held(1, 30)
    opened = parcels.open_all([parcels.close(kept)], ["started_at", "campaign", "areas_gone"])
    assert opened["started_at"].to_list() == kept["started_at"].to_list()
    assert opened["areas_gone"].null_count() == 30
    assert opened.schema["areas_gone"] == pl.String


def test_a_parcel_is_short() -> None:
    kept = held(2, 200).drop("radio", "path_hops", "throughput_downlink_slices_bytes", "throughput_uplink_slices_bytes")
    assert len(parcels.close(kept)) < 300 * kept.height
