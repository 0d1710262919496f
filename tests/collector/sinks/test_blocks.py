"""Blocks in a real InfluxDB and back into an archive that can be judged."""

import base64

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analysis import influx as reading
from archive import parcels
from archive.store import Archive
from collector.sinks import blocks
from measurement.errors import ConfigError, StorageError
from tests.collector.sinks.test_influx import archive, deliver, feeder, influxd, own_influxd, records, token

__all__ = ["archive", "influxd", "own_influxd", "token"]


def test_what_is_pulled_is_what_was_kept(archive, influxd, tmp_path):
    archive.append_frame(records(700))
    deliver(feeder(archive, influxd, "volume"))
    with archive.transaction() as connection:  # and once more, with other neighbours
        connection.execute("UPDATE sink_cursors SET sequence = 0")
    archive.append_frame(records(60, first=700))
    deliver(feeder(archive, influxd, "volume"))
    place = reading.Place(influxd.url, influxd.org, "volume")
    pulled = reading.pull(place, archive, tmp_path / "pulled")
    assert_frame_equal(everything(pulled), everything(archive))


def everything(held: Archive) -> pl.DataFrame:
    with held.snapshot() as snapshot:
        return pl.concat([snapshot.frame(day) for day in snapshot.days]).sort("record_id")


def test_a_block_keeps_within_what_influxdb_promises():
    wide = records(250).with_columns(pl.lit("ế" * 190).alias("organisation") + pl.col("record_id"))
    lines = blocks.block_lines(wide).splitlines()
    assert len(lines) > 1 or len(lines[0]) < 64_100
    values = [line.split(b'"')[1] for line in lines]
    assert all(len(value) <= blocks.MOST_BYTES for value in values)
    opened = parcels.open_all([base64.b64decode(value) for value in values])
    kept = wide.drop(blocks.LEFT_OUT)
    assert_frame_equal(opened, kept.select(name for name in kept.columns if kept[name].null_count() < 250))


def test_the_same_records_make_the_same_point():
    one, other = records(10), records(10, first=5)
    assert blocks.block_lines(one) == blocks.block_lines(one)
    assert blocks.block_lines(one).split()[-1] != blocks.block_lines(other).split()[-1]


def test_a_block_that_cannot_be_read_is_said(influxd, archive, tmp_path):
    bucket = influxd.new_bucket("broken")
    influxd.write(f'block data="{base64.b64encode(b"ARROW1").decode()}",row_count=1i', bucket)
    with pytest.raises(StorageError, match="sinks replay writes it anew"):
        reading.pull(reading.Place(influxd.url, influxd.org, bucket), archive, tmp_path / "pulled")


def test_an_influxdb_that_is_away_is_said(archive, tmp_path):
    with pytest.raises(StorageError, match="is not reached"):
        reading.pull(reading.Place("http://127.0.0.1:9"), archive, tmp_path / "pulled")


def test_a_token_that_is_missing_is_said(archive, tmp_path, monkeypatch):
    monkeypatch.delenv(reading.TOKEN_VARIABLE)
    with pytest.raises(ConfigError, match="INFLUXDB_TOKEN"):
        reading.pull(reading.Place("http://127.0.0.1:9"), archive, tmp_path / "pulled")
