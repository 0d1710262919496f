"""The codec: what goes in comes out, and whatever comes in is a record or one RecordError with path and reason."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.frames import frame_from_bodies
from measurement import codec
from measurement.errors import RecordError
from measurement.record import Record
from measurement.rules import check_from_probe
from measurement.schema import json_schema
from tests.measurement.records import FROM_PROBES, RECORDS

SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@SLOW
@given(RECORDS)
def test_round_trip(record: Record) -> None:
    body = codec.encode(record)
    assert codec.decode(body) == record
    assert codec.encode(codec.decode(body)) == body


@SLOW
@given(FROM_PROBES)
def test_what_a_probe_may_send_passes_and_is_one_archive_row(record: Record) -> None:
    check_from_probe(record)
    frame = frame_from_bodies([codec.encode(record)], ["communes-2025"])
    assert frame.height == 1
    assert frame["record_id"][0] == record.record_id


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=100)))
def test_any_bytes_are_a_record_error(body: bytes | str) -> None:
    with pytest.raises(RecordError) as caught:
        codec.decode(body)
    assert caught.value.path.startswith("$")
    assert caught.value.reason


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(Record.__struct_fields__), JSON_VALUES)
def test_any_value_in_any_field_is_taken_or_refused_by_name(field: str, value: Any) -> None:
    body = json.dumps(MINIMAL | {field: value})
    try:
        codec.decode(body)
    except RecordError as error:
        assert error.path.startswith(f"$.{field}")


MINIMAL: dict[str, Any] = {
    "record_id": "017f22e2-79b0-7000-8000-000000000000",
    "schema_version": 1,
    "probe_id": "p1",
    "agent": "a/1",
    "mode": "manual",
    "started_at": "2026-05-01T00:00:00Z",
    "outcome": {"status": "complete"},
}
SAMPLE = {"at_ms": 0, "leg": "anchor", "is_serving": True}
IDLE = {"method": "stamp", "sent_count": 5, "received_count": 5}


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        ({"record_id": "017f22e2-79b0-4000-8000-000000000000"}, "$.record_id", "Expected `str` matching regex"),
        ({"schema_version": 0}, "$.schema_version", "Expected `int` >= 1"),
        ({"probe_id": "a b"}, "$.probe_id", "Expected `str` matching regex"),
        ({"agent": ""}, "$.agent", "Expected `str` of length >= 1"),
        ({"mode": "guess"}, "$.mode", "Invalid enum value 'guess'"),
        ({"started_at": "2026-05-01T00:00:00"}, "$.started_at", "Expected `datetime` with a timezone component"),
        ({"outcome": {}}, "$.outcome", "Object missing required field `status`"),
        ({"colour": 1}, "$", "Object contains unknown field `colour`"),
        (
            {"position": {"longitude_deg": 181, "latitude_deg": 0}},
            "$.position.longitude_deg",
            "Expected `float` <= 180.0",
        ),
        ({"position": {"latitude_deg": 0}}, "$.position", "Object missing required field `longitude_deg`"),
        ({"network": {"mnc": 4}}, "$.network.mnc", "Expected `str | null`, got `int`"),
        ({"network": {"mnc": "4"}}, "$.network.mnc", "Expected `str` matching regex"),
        ({"radio": [SAMPLE | {"sinr_db": 41}]}, "$.radio[0].sinr_db", "Expected `float` <= 40.0"),
        (
            {"radio": [SAMPLE | {"rsrp_dbm": -150}]},
            "$.radio[0].rsrp_dbm",
            "Invalid rsrp_dbm -150.0. -144 to -30 on the anchor leg.",
        ),
        ({"radio": [SAMPLE, SAMPLE | {"pci": 600}]}, "$.radio[1].pci", "Invalid pci 600. 0 to 503 on the anchor leg."),
        (
            {"radio": [SAMPLE | {"leg": "nr", "rsrp_dbm": -30}]},
            "$.radio[0].rsrp_dbm",
            "Invalid rsrp_dbm -30.0. -156 to -31 on the nr leg.",
        ),
        (
            {"latency": {"idle": IDLE | {"received_count": 6}}},
            "$.latency.idle.received_count",
            "Invalid received_count 6. At most sent_count, 5.",
        ),
        (
            {"throughput": {"uplink": {"method": "http", "low_bps": 2, "high_bps": 1}}},
            "$.throughput.uplink.low_bps",
            "Invalid low_bps 2.0. At most high_bps, 1.0.",
        ),
        (
            {"outcome": {"status": "failed"}},
            "$.outcome.failure",
            "Invalid failure null. A failed test names its failure.",
        ),
        (
            {"outcome": {"status": "complete", "failure": "no_service"}},
            "$.outcome.failure",
            "Invalid failure no_service. A complete test has none.",
        ),
        ({"areas": {"a b": "c"}}, "$.areas", "Expected `str` matching regex"),
        ({"duration_ms": -1}, "$.duration_ms", "Expected `float` >= 0.0"),
    ],
)
def test_wrong_records_are_refused_with_path_and_reason(change: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        codec.decode(json.dumps(MINIMAL | change))
    assert caught.value.reason.startswith(reason)
    assert caught.value.path == path


@pytest.mark.parametrize("field", ["received_at", "areas", "base_station", "h3_cell", "flags"])
def test_a_probe_may_not_set_what_the_collector_sets(field: str) -> None:
    value = {
        "received_at": "2026-05-01T00:00:00Z",
        "areas": {"zones": "x"},
        "base_station": {"id": "b"},
        "h3_cell": "8a" + "0" * 13,
        "flags": ["f"],
    }[field]
    record = codec.decode(json.dumps(MINIMAL | {field: value}))
    with pytest.raises(RecordError) as caught:
        check_from_probe(record)
    assert (caught.value.path, caught.value.reason) == (f"$.{field}", f"Invalid {field}. Only the collector sets it.")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Invalid JSON. Input data was truncated."),
        (b"{", "Invalid JSON. Input data was truncated."),
        (b"[" * 100_000, "Expected `object`, got `array`"),
        (b'{"record_id": "\xff"}', "Invalid JSON."),
        (b"[]", "Expected `object`, got `array`"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        codec.decode(body)
    assert caught.value.path == "$"
    assert caught.value.reason.startswith(reason)


def test_null_and_absent_are_the_same() -> None:
    nulls = dict.fromkeys(set(Record.__struct_fields__) - set(MINIMAL) - {"is_simulated"})
    assert codec.decode(json.dumps(MINIMAL | nulls)) == codec.decode(json.dumps(MINIMAL))
    assert b"null" not in codec.encode(codec.decode(json.dumps(MINIMAL | nulls)))


def test_schema_names_every_field() -> None:
    schema = json_schema()
    properties = schema["$defs"]["Record"]["properties"]
    assert set(properties) == set(Record.__struct_fields__)
    assert schema["version"] == 1
    assert msgspec.json.encode(schema)
