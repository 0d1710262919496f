"""Every shape of reason that a record can be refused for has its Vietnamese."""

import msgspec
import pytest

from collector.intake import MOST_RECORD_BYTES, read
from collector.reasons import _ROWS, in_vietnamese
from measurement.codec import encode
from tests.archive.sample import records

GOOD = msgspec.json.decode(encode(records(1)[0]))
SPOILT: dict[str, object] = {
    "record_id": "x",
    "schema_version": "1",
    "mode": "flying",
    "started_at": "2026-11-22T10:00:00",
    "agent": "",
    "campaign": 5,
    "outcome": {"status": "failed"},
    "sequence": -1,
    "position": {"longitude_deg": 181, "latitude_deg": 20},
    "network": {"mcc": "45"},
    "radio": [{"at_ms": 0, "leg": "anchor", "is_serving": True, "rsrp_dbm": -155}],
    "latency": {"idle": {"method": "stamp", "sent_count": 1, "received_count": 2}},
    "throughput": {"downlink": {"method": "http", "low_bps": 2, "high_bps": 1}},
    "server": {"hosts": "x"},
    "device": {"model": "x" * 201},
    "flags": ["a"],
    "path": {"hops": [{"ttl": 1.5}]},
    "access": {"tls_ms": "soon"},
}


@pytest.mark.parametrize("field", SPOILT)
def test_a_spoilt_field_is_told_in_vietnamese(field: str) -> None:
    (rejection,) = read(msgspec.json.encode(GOOD | {field: SPOILT[field]})).rejected
    told = in_vietnamese(rejection.reason)
    assert told != rejection.reason
    assert not {"Expected", "Invalid", "Object"} & set(told.split())


@pytest.mark.parametrize(
    "body",
    [
        b'{"record_id": }',
        encode(records(1)[0])[:-1] + b',"agent":"twice"}',
        msgspec.json.encode({name: value for name, value in GOOD.items() if name != "agent"}),
        msgspec.json.encode(GOOD | {"started_at": "yesterday"}),
        msgspec.json.encode(GOOD | {"outcome": {"status": "complete", "failure": "no_service"}}),
        msgspec.json.encode(GOOD | {"agent": "x" * MOST_RECORD_BYTES}),
        b"5",
    ],
)
def test_a_body_that_is_no_record_is_told_in_vietnamese(body: bytes) -> None:
    (rejection,) = read(body).rejected
    assert in_vietnamese(rejection.reason) != rejection.reason


def test_an_unknown_reason_stays_as_it_is() -> None:
    assert in_vietnamese("Something else.") == "Something else."
    assert len({pattern for pattern, _ in _ROWS}) == len(_ROWS)
