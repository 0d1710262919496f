"""The Flux queries of the dashboards. Knows Flux and how Grafana writes the range into it."""

from __future__ import annotations

import json

from collector.sinks.lines import FIELDS, TAGS, TEST

BUCKET = "haidang"
RANGE = "range(start: v.timeRangeStart, stop: v.timeRangeStop)"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _records(field: str, *, at: str = "", tags: tuple[str, ...] = ()) -> str:
    """Read one field of the records, of the operators chosen on top where `at` says so."""
    if field not in FIELDS:
        raise ValueError(f"no field {field!r}")
    if not set(tags) <= set(TAGS):
        raise ValueError(f"no tags {tags!r}")
    query = f"from(bucket: {_text(BUCKET)}) |> {RANGE}"
    query += f" |> filter(fn: (r) => r._measurement == {_text(TEST)} and r._field == {_text(field)})"
    return query + at


OPERATOR = " |> filter(fn: (r) => r.network_operator =~ /^${operator:regex}$/)"


def quantiles(field: str) -> str:
    """P10, P50 and P90 over time."""
    streams = "\n".join(
        f"data |> aggregateWindow(every: v.windowPeriod, createEmpty: false, fn: (tables=<-, column) =>"
        f' tables |> quantile(q: {q}, column: column)) |> set(key: "_field", value: "P{round(100 * q)}")'
        f' |> yield(name: "P{round(100 * q)}")'
        for q in (0.1, 0.5, 0.9)
    )
    return f'data = {_records(field, at=OPERATOR)} |> group(columns: ["_field"])\n{streams}'


def median(field: str) -> str:
    """Median over time by operator."""
    return (
        f'{_records(field, at=OPERATOR)} |> group(columns: ["network_operator"])'
        " |> aggregateWindow(every: v.windowPeriod, fn: median, createEmpty: false)"
    )


def failures() -> str:
    """Failed tests by reason and operator."""
    return (
        f'{_records("outcome_failure", at=OPERATOR)} |> group(columns: ["network_operator", "_value"])'
        ' |> map(fn: (r) => ({r with reason: r._value, one: 1})) |> group(columns: ["network_operator", "reason"])'
        ' |> count(column: "one") |> group() |> sort(columns: ["one"], desc: true)'
    )


def slowest_stations() -> str:
    """Median downlink of the 20 slowest base stations with ten tests."""
    fields = '["throughput_downlink_goodput_bps", "base_station_id"]'
    return (
        f"from(bucket: {_text(BUCKET)}) |> {RANGE} |> filter(fn: (r) => r._measurement == {_text(TEST)}"
        f" and contains(value: r._field, set: {fields})){OPERATOR}"
        ' |> pivot(rowKey: ["_time", "probe_id"], columnKey: ["_field"], valueColumn: "_value")'
        " |> filter(fn: (r) => exists r.base_station_id and exists r.throughput_downlink_goodput_bps)"
        ' |> group(columns: ["base_station_id", "network_operator"])'
        ' |> median(column: "throughput_downlink_goodput_bps")'
        ' |> group() |> sort(columns: ["throughput_downlink_goodput_bps"]) |> limit(n: 20)'
    )


def by_operator(field: str) -> str:
    """Median, tests of each operator and technology."""
    return (
        f'{_records(field, at=OPERATOR)} |> group(columns: ["network_operator", "network_technology"])'
        " |> median() |> group()"
    )


def busiest_probes() -> str:
    """The 20 probes with the most records."""
    return (
        f'{_records("outcome_status")} |> group(columns: ["probe_id"]) |> count() |> group()'
        ' |> sort(columns: ["_value"], desc: true) |> limit(n: 20)'
    )


def field_tests() -> str:
    """Tests of drives and by hand, by probe and day."""
    return (
        f'{_records("outcome_status", at=OPERATOR)} |> filter(fn: (r) => r.mode != "scheduled")'
        ' |> group(columns: ["probe_id", "mode"]) |> count() |> group() |> sort(columns: ["_value"], desc: true)'
        " |> limit(n: 50)"
    )
