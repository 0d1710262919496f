"""Planned stops on a drive whose clock is simulated: tested once where they are, kept over a restart."""

import re
from io import StringIO

import pytest
from rich.console import Console

from measurement.errors import DeliveryError
from measurement.record import Position
from probe.agent.tasks import Task
from probe.drive.display import Display
from probe.drive.stops import REACH_M, Stops
from tests.probe.drive.test_drive import Trip, records

EAST_M = 104_000  # metres of a degree of longitude on the road of the tests


def stop(name: str, at_m: float, schedule: str = "once") -> Task:
    place = Position(longitude_deg=106.0 + at_m / EAST_M, latitude_deg=20.86)
    return Task(id=name, schedule=schedule, campaign="plan-1", position=place)


@pytest.fixture
def trip(tmp_path):
    made = []

    def start(tasks, **rules):
        one = Trip(tmp_path, **rules)
        one.drive.stops = Stops(one.spool, lambda: tasks, clock=one.clock)
        one.drive.stops.refresh()
        made.append(one)
        return one

    yield start
    for one in made:
        one.close()


def test_a_speed_test_is_made_at_each_stop_and_nowhere_twice(trip):
    one = trip([stop("a", 2000), stop("b", 5000, "daily 14:00"), stop("far", 400_000)], segment_s=5, cycle_s=3600)
    one.run(900)
    planned = [r for r in records(one) if r.campaign == "plan-1" and r.throughput is not None]
    places = [(r.position.longitude_deg - 106.0) * EAST_M for r in planned]
    assert places == [pytest.approx(2000, abs=REACH_M + 250), pytest.approx(5000, abs=REACH_M + 250)]
    assert [task.id for task in one.drive.stops.open(one.clock.now())] == ["far"]
    assert sum(r.throughput is not None for r in records(one)) == 3  # and one at the start


def test_who_stops_at_a_planned_stop_is_measured_there(trip):
    one = trip([stop("a", 0)], segment_s=10, pause_below_mps=2.0)
    one.road.speed_mps = 0.0
    one.run(5)
    assert one.drive.throughput_count == 1
    one.run(30)
    assert one.drive.doing == "waiting for speed"


def test_without_throughput_the_latency_counts(trip):
    one = trip([stop("a", 300)], segment_s=5, has_throughput=False)
    one.run(60)
    assert not one.drive.stops.open(one.clock.now())


def test_stops_and_what_is_done_outlive_a_restart_without_the_collector(trip):
    one = trip([stop("a", 500), stop("b", 90_000)], segment_s=5)
    one.run(120)

    def away():
        raise DeliveryError("no answer in time")

    again = Stops(one.spool, away, clock=one.clock)
    again.refresh()
    assert [task.id for task in again.open(one.clock.now())] == ["b"]
    assert again.nearest(None, one.clock.now()) is None


def test_the_display_says_how_far_the_nearest_stop_is(trip):
    one = trip([stop("a", 500), stop("b", 90_000)], segment_s=5)
    one.run(120)
    console = Console(width=130, height=40, record=True, file=StringIO())
    console.print(Display(one.drive, "trip").render(console))
    assert re.search(r"stops\s+1 of 2 open, nearest 8\d,\d{3} m", console.export_text())
