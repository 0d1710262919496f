"""The description is true: schemathesis finds no 5xx and no answer that breaks it, on the real server."""

import warnings

import pytest

from collector.app import ROUTES
from collector.openapi import describe
from measurement.record import Record
from tests.collector.running import Running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schemathesis = pytest.importorskip("schemathesis")


def test_every_route_is_described_in_two_languages() -> None:
    paths = describe(ROUTES)["paths"]
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        assert operation["summary"]
        assert operation["description"] != operation["summary"]
        assert str(route.status) in operation["responses"]


def test_the_record_in_the_description_is_the_record() -> None:
    schema = describe(ROUTES)["components"]["schemas"]["Record"]
    assert set(schema["properties"]) == set(Record.__struct_fields__)
    assert schema["additionalProperties"] is False


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_schemathesis_finds_no_fault(collector: Running, probe: str, admin: str) -> None:
    from hypothesis import HealthCheck, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
    ]
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{collector.port}/v1/openapi.json")
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        token = probe if operation.path in ("/v1/records", "/v1/tasks") and operation.method == "post" else admin

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @__import__("hypothesis").given(case=operation.as_strategy())
        def attack(case: object) -> None:
            nonlocal count
            count += 1
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=checks)  # type: ignore[attr-defined]  # noqa: B023

        attack()
    assert count > 200
