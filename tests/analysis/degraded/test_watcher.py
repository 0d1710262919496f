"""A watcher that has looked all day sees what one that starts now sees."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analysis import thresholds
from analysis.degraded import run
from analysis.degraded.kpis import BY_KPI
from archive.store import Archive
from simulation.city import City
from simulation.degradation import Degradation

MORNING = datetime(2026, 5, 18, 2, tzinfo=UTC)
LIMITS = thresholds.load()
RATES = (BY_KPI["downlink"], BY_KPI["uplink"])


@pytest.fixture(scope="module")
def city() -> City:
    fault = Degradation("316", "Viettel", 0.5, MORNING)
    return City(7, communes=("11755", "11824"), scale=City.scaled(2 / 114), degradations=[fault])


@pytest.fixture(scope="module")
def records(city: City) -> pl.DataFrame:
    return pl.concat(city.records(36_000, days=18, start=date(2026, 5, 1))).sort("started_at")


def events_of(archive: Archive) -> list[dict[str, Any]]:
    found = archive.read_result("degraded_events")
    assert found is not None
    return found.to_dicts()


def test_looks_of_a_day_see_what_a_new_watcher_sees(tmp_path: Path, city: City, records: pl.DataFrame) -> None:
    began = pl.col("started_at")
    yesterday = MORNING - timedelta(hours=12)
    late = records.filter(began.is_between(yesterday, yesterday + timedelta(hours=1)))
    told = []
    with Archive(tmp_path / "a", create=True) as archive:
        archive.set_layers(city.layers)
        archive.append_frame(records.filter(began < MORNING).join(late, on="record_id", how="anti"))
        watcher = run.Watcher(archive, LIMITS, RATES, calendar=())
        assert watcher.look(MORNING).events == []
        learnt = watcher._learnt
        before = MORNING
        for hour in (0.5, 1, 2):
            now = MORNING + timedelta(hours=hour)
            archive.append_frame(records.filter(began.is_between(before, now, closed="left")))
            if hour == 1:
                archive.append_frame(late)  # what a probe kept while it was offline
            before = now
            told.append(watcher.look(now).events)
        assert watcher._learnt is learnt, "learnt once a day"
        assert [event.stream.area for event in told[-1] if event.stream.layer == "districts-2024"]
        # Another watcher with the same events until the last look, and nothing in its memory.
        archive.write_result("degraded_events", run.kept.table(told[-2]))
        fresh = run.Watcher(archive, LIMITS, RATES, calendar=())
        again = fresh.look(MORNING + timedelta(hours=2)).events
    assert {event.stream for event in again} == {event.stream for event in told[-1]}
    sizes = {event.stream: event.drop_ratio for event in told[-1]}
    for event in again:
        assert event.drop_ratio == pytest.approx(sizes[event.stream], abs=0.02)


def test_an_archive_without_tests_or_layers_is_looked_at_in_peace(tmp_path: Path, city: City) -> None:
    with Archive(tmp_path / "a", create=True) as archive:
        seen = run.Watcher(archive, LIMITS).look(MORNING)
        assert seen == run.Seen([], 0, None)
        archive.set_layers(city.layers)
        assert run.Watcher(archive, LIMITS).look(MORNING).events == []
        assert events_of(archive) == []
