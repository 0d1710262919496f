"""The InfluxDB sink against a real InfluxDB 2."""

import os
import random
import threading
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from archive.frames import conform
from archive.store import Archive
from collector import sink, tables
from collector.sinks import influx, pace
from measurement.errors import ConfigError, DeliveryError
from measurement.geography import Layer
from measurement.identity import uuid7
from tests.servers.influxd import Influxd, influxd, own_influxd
from tests.servers.influxd1 import influxd1

__all__ = ["influxd", "influxd1", "own_influxd"]

LAYER = Layer(key="communes-2025", title_en="Communes", title_vi="Xã", areas=[])
START = int(datetime.now(UTC).timestamp()) - 3600


def records(count: int, first: int = 0) -> pl.DataFrame:
    numbers = range(first, first + count)
    frame = pl.DataFrame(
        {
            "record_id": [uuid7((START * 1000) + n, n.to_bytes(10)) for n in numbers],
            "probe_id": [f"probe {n % 7}" for n in numbers],
            "mode": "scheduled",
            "network_operator": 'Vi,ettel = "\\',
            "network_technology": "lte",
            "is_simulated": True,
            "started_at": [datetime.fromtimestamp(START + n // 10, UTC) for n in numbers],
            "throughput_downlink_goodput_bps": [float(n) for n in numbers],
            "latency_idle_sent_count": list(numbers),
            "areas_communes_2025": "10507",
        }
    )
    return conform(frame, ["communes-2025"])


@pytest.fixture
def archive(tmp_path: Path):
    with Archive(tmp_path / "archive", create=True) as made:
        tables.prepare(made)
        made.set_layers([LAYER])
        yield made


@pytest.fixture(autouse=True)
def token(monkeypatch):
    from tests.servers.influxd import TOKEN

    monkeypatch.setenv(influx.TOKEN_VARIABLE, TOKEN)


def feeder(archive: Archive, server: Influxd, bucket: str) -> sink.Feeder:
    made = influx.make({"url": server.url, "org": server.org, "bucket": bucket}, archive.path)
    sink.register(archive, "influx")
    return sink.Feeder(Archive(archive.path), "influx", made, threading.Event(), random.Random(1))


def count(server: Influxd, bucket: str, field: str = "record_id") -> int:
    rows = server.query(
        f'from(bucket: "{bucket}") |> range(start: -2d) |> filter(fn: (r) => r._measurement == "test" and '
        f'r._field == "{field}") |> group() |> count()'
    )
    return int(rows[0]["_value"]) if rows else 0


def deliver(fed: sink.Feeder) -> None:
    while fed.step() == 0.0:
        pass


def test_every_record_arrives_once_however_often_it_is_sent(archive, influxd):
    bucket = "once"
    archive.append_frame(records(500))
    fed = feeder(archive, influxd, bucket)
    deliver(fed)
    assert count(influxd, bucket) == 500
    with archive.transaction() as connection:
        connection.execute("UPDATE sink_cursors SET sequence = 0")
    deliver(fed)
    assert count(influxd, bucket) == 500
    archive.append_frame(records(40, first=500))
    deliver(fed)
    assert count(influxd, bucket) == 540


def test_types_and_hostile_names_survive(archive, influxd):
    bucket = "types"
    archive.append_frame(records(3))
    deliver(feeder(archive, influxd, bucket))
    rows = influxd.query(
        f'from(bucket: "{bucket}") |> range(start: -2d) |> filter(fn: (r) => r._field == '
        '"throughput_downlink_goodput_bps" or r._field == "latency_idle_sent_count")'
        ' |> toFloat() |> group(columns: ["_field"]) |> sum()'
    )
    assert sorted(float(row["_value"]) for row in rows) == [3.0, 3.0]
    tags = influxd.query(
        f'import "influxdata/influxdb/schema" schema.tagValues(bucket: "{bucket}", tag: "network_operator")'
    )
    # A backslash at the end cannot be told from an escape: it is left out.
    assert [row["_value"] for row in tags] == ['Vi,ettel = "']


def test_buckets_and_task_are_made_once_and_downsample(archive, influxd):
    bucket = "prepared"
    for _ in range(2):
        made = influx.make({"url": influxd.url, "bucket": bucket}, archive.path)
        made.prepare()
        made.close()
    names = [row["name"] for row in influxd.call("GET", "/api/v2/buckets?limit=100").data["buckets"]]
    assert names.count(bucket) == names.count(f"{bucket}-hourly") == 1
    tasks = [t for t in influxd.call("GET", "/api/v2/tasks").data["tasks"] if t["name"] == f"{bucket} by the hour"]
    assert len(tasks) == 1
    from collector.sinks.downsampling import FLUX

    archive.append_frame(records(500))
    deliver(feeder(archive, influxd, bucket))
    influxd.query(FLUX.format(fine=bucket, coarse=f"{bucket}-hourly"))
    means = influxd.query(
        f'from(bucket: "{bucket}-hourly") |> range(start: -2d) |> filter(fn: (r) => r._measurement == "hour_count" and '
        'r._field == "throughput_downlink_goodput_bps") |> group() |> sum()'
    )
    assert int(means[0]["_value"]) == 500


def test_ratings_are_written_when_they_are_renewed(archive, influxd):
    bucket = "ratings"
    row = {"layer": "communes-2025", "area": "10507", "operator": "*", "technology": "*", "period": "all"}
    row |= {"kpi": "downlink", "statistic": "median", "status": "rated", "grade": None, "is_simulated": True}
    archive.write_result("area_ratings", pl.DataFrame([row | {"value": 42.0, "samples_count": 300}]))
    archive.append_frame(records(1))
    deliver(feeder(archive, influxd, bucket))
    rows = influxd.query(
        f'from(bucket: "{bucket}") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "rating" and '
        'r._field == "value")'
    )
    assert [(r["area"], r["_value"]) for r in rows] == [("10507", "42")]


def test_a_dead_influxdb_keeps_the_cursor_and_loses_nothing(archive, own_influxd):
    archive.append_frame(records(100))
    own_influxd.kill()
    fed = feeder(archive, own_influxd, "late")
    assert fed.step() > 0
    assert sink.cursor_of(archive, "influx") == 0
    own_influxd.restart()
    deliver(fed)
    assert count(own_influxd, "late") == 100


def test_a_server_that_is_too_slow_is_given_less_at_once_and_more_again(archive, own_influxd):
    archive.append_frame(records(3000))
    sink.register(archive, "influx")

    def fed(timeout_s: float) -> tuple[influx.InfluxSink, sink.Feeder]:
        settings = {"url": own_influxd.url, "org": own_influxd.org, "bucket": "slow", "timeout_s": timeout_s}
        made = influx.make(settings, archive.path)
        return made, sink.Feeder(Archive(archive.path), "influx", made, threading.Event(), random.Random(1))

    patient, first = fed(30)
    patient.prepare()
    hasty, second = fed(0.2)
    second._is_ready = True  # it is there; only the writes shall find the server asleep
    own_influxd.process.pause()
    assert second.step() > 0  # halved and tried again until there was no less to try
    assert hasty._pace.size == pace.LEAST
    assert sink.cursor_of(archive, "influx") == 0
    own_influxd.process.resume()
    patient._pace.size = pace.LEAST
    deliver(first)
    assert count(own_influxd, "slow") == 3000
    assert patient._pace.size > pace.LEAST


def test_a_wrong_token_is_told_without_the_token(archive, influxd, monkeypatch):
    monkeypatch.setenv(influx.TOKEN_VARIABLE, "a-wrong-and-secret-token")
    made = influx.make({"url": influxd.url}, archive.path)
    with pytest.raises(DeliveryError, match="401") as caught:
        made.prepare()
    assert "secret" not in str(caught.value)


def test_an_influxdb_of_before_the_v2_write_api_is_told_as_such(archive, influxd1):
    archive.append_frame(records(3))
    made = influx.make({"url": influxd1.url, "bucket": influxd1.database, "prepare": False}, archive.path)
    sink.register(archive, "influx")
    fed = sink.Feeder(Archive(archive.path), "influx", made, threading.Event(), random.Random(1))
    assert fed.step() > 0
    (error,) = archive.connection.execute("SELECT last_error FROM sink_cursors").fetchone()
    assert error == "InfluxDB answers 404: Not Found; InfluxDB before 1.8 has no v2 write API"
    assert sink.cursor_of(archive, "influx") == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Object missing required field `url`"),
        ({"url": "ftp://x"}, "$.url: Invalid url 'ftp://x'. http://HOST:PORT or https://…."),
        ({"url": "http://h", "buckett": "x"}, "Object contains unknown field `buckett`"),
        ({"url": "http://h", "token_file": "/none/there"}, "$.token_file: Invalid token_file '/none/there'."),
    ],
)
def test_bad_settings_name_the_key(settings, message, tmp_path):
    with pytest.raises(ConfigError) as caught:
        influx.make(settings, tmp_path)
    assert message in str(caught.value)


def test_no_token_is_said(tmp_path):
    os.environ.pop(influx.TOKEN_VARIABLE)
    with pytest.raises(ConfigError, match="INFLUXDB_TOKEN"):
        influx.make({"url": "http://127.0.0.1:1"}, tmp_path)
