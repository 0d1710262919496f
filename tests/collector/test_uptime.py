"""Stations, lines, holes, results and the certificate, as Prometheus is told of them."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.certificate import expiry_s
from collector.metrics import Metrics
from collector.settled import Note, note_of
from collector.uptime import MOST_LINES, Uptime
from measurement.record import SCHEMA_VERSION, Outcome, Position, Record
from measurement.vocabulary import Mode, PositionSource, Status
from tests.servers.certificate import certificate

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)


def note(
    status: Status = Status.COMPLETE,
    probe: str = "office",
    station: str | None = "S1",
    flags: tuple[str, ...] = (),
    **changed: object,
) -> Note:
    record = Record(
        record_id="0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", probe_id=probe, started_at=AT, mode=Mode.SCHEDULED,
        schema_version=SCHEMA_VERSION,
        agent="test/1", organisation="School 1", outcome=Outcome(status=status),
        position=Position(longitude_deg=106.7, latitude_deg=20.8, source=PositionSource.FIXED), **changed,
    )  # fmt: skip
    return note_of(record, [], list(flags), station)


def test_counts_good_tests_of_stations_and_the_newest_of_lines() -> None:
    metrics = Metrics()
    uptime = Uptime(metrics)
    uptime.add([note(), note(), note(Status.FAILED), note(flags=("position-mock",))])
    uptime.export()
    line = {"organisation": "School 1", "probe_id": "office"}
    assert metrics.value("haidang_station_tests_total", base_station="S1") == 2
    assert metrics.value("haidang_line_last_test_timestamp_seconds", **line) == AT.timestamp()
    assert metrics.value("haidang_line_last_success_timestamp_seconds", **line) == AT.timestamp()


def test_a_line_that_never_came_through_has_success_at_zero() -> None:
    metrics = Metrics()
    uptime = Uptime(metrics)
    uptime.add([note(Status.FAILED)])
    uptime.export()
    name = "haidang_line_last_success_timestamp_seconds"
    assert metrics.registry.get_sample_value(name, {"organisation": "School 1", "probe_id": "office"}) == 0


def test_lines_are_bounded() -> None:
    metrics = Metrics()
    uptime = Uptime(metrics)
    uptime.add(note(probe=f"p{number}", station=None) for number in range(MOST_LINES + 5))
    uptime.export()
    family = next(f for f in metrics.registry.collect() if f.name == "haidang_line_last_test_timestamp_seconds")
    assert len(family.samples) == MOST_LINES


def test_reads_when_a_certificate_expires(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    tomorrow = time.time() + 86_400
    assert expiry_s(made.certificate) == pytest.approx(tomorrow, abs=120)
    assert expiry_s(tmp_path / "absent.pem") is None
    (tmp_path / "broken.pem").write_text("no certificate")
    assert expiry_s(tmp_path / "broken.pem") is None
