"""Plans: worth, choice, way, and the forms they take."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import date
from itertools import permutations

import msgspec
import numpy as np
import polars as pl
import pytest

from analysis import results
from analysis.coverage.plane import plane_of
from analysis.plan import forms, run
from analysis.plan.choose import Terms, choose, serving
from analysis.plan.needs import AREA, Need, half_width, stations
from analysis.plan.page import page
from analysis.plan.places import Places
from analysis.plan.route import length, minutes_between, nearest_neighbour, two_opt
from analysis.plan.tasks import post, tasks
from analysis.thresholds import load
from archive.store import Archive
from collector.routes.probes import NewTask
from measurement.errors import ConfigError, DeliveryError
from measurement.geography import Area, BaseStation, Layer
from probe.agent import tasks as probe_tasks


def square(west: float, south: float, size: float = 0.02) -> list[list[list[tuple[float, float]]]]:
    east, north = west + size, south + size
    return [[[(west, south), (east, south), (east, north), (west, north), (west, south)]]]


TODAY = date(2026, 11, 22)
LAYER = Layer(
    key="wards", title_en="Wards", title_vi="Phường",
    areas=[
        Area(key="a", name="Phường A", name_en="A", polygons=square(106.60, 20.80)),
        Area(key="b", name="Phường B", name_en="B", polygons=square(106.70, 20.80)),
    ],
)  # fmt: skip
STATIONS = [
    BaseStation(id="s1", operator="Viettel", technology="lte", longitude_deg=106.61, latitude_deg=20.81),
    BaseStation(id="s2", operator="Viettel", technology="lte", longitude_deg=106.71, latitude_deg=20.81),
]


@pytest.fixture()
def archive(tmp_path: object) -> Archive:
    opened = Archive(f"{tmp_path}/archive", create=True)
    opened.set_layers([LAYER])
    opened.set_base_stations(STATIONS)
    return opened


def rating(area: str, count: int, needed: int, status: str, half: float) -> dict[str, object]:
    return {
        "layer": "wards", "area": area, "operator": "Viettel", "technology": "4g", "period": "all", "kpi": "downlink",
        "statistic": "median", "value": 4e7, "low": 4e7 * (1 - half), "high": 4e7 * (1 + half), "samples_count": count,
        "devices_count": count, "needed_count": needed, "status": status, "is_simulated": True,
    }  # fmt: skip


def test_an_area_under_its_floor_goes_before_one_that_is_known(archive: Archive) -> None:
    rows = [rating("a", 5000, 0, "rated", 0.03), rating("b", 60, 40, "insufficient", 0.9)]
    archive.write_result("area_ratings", results.shape("area_ratings", pl.DataFrame(rows)))
    plan = run.plan(archive, run.Question(stops=3, operators=("Viettel",)), load(), TODAY)
    first = plan.sort("rank").row(0, named=True)
    assert first["name"] == "Phường B"
    assert "tests missing: Viettel 4G 40" in first["reason_en"]
    assert "còn thiếu: Viettel 4G 40" in first["reason_vi"]
    assert plan["is_simulated"].all()


def test_an_archive_without_ratings_still_has_a_plan(archive: Archive) -> None:
    plan = run.plan(archive, run.Question(stops=4, start=(106.60, 20.80), minutes=120), load(), TODAY)
    assert plan.height > 0
    assert plan["stop"].to_list() == list(range(1, plan.height + 1))
    assert plan["minutes"].sum() <= 120.001


def score(
    station: str, value: float | None, low: float | None, high: float | None, **more: object
) -> dict[str, object]:
    return {
        "base_station": station, "operator": "Viettel", "technology": "4g", "period": "all", "kpi": "score",
        "statistic": "score", "value": value, "low": low, "high": high, "samples_count": 80, "needed_count": 0,
        "is_simulated": True, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "weight"),
    [
        (score("s", 66.0, 61.0, 71.0), 0.5),  # the border of grade B is 65
        (score("s", 72.0, 67.0, 77.0), None),  # B, whatever happens
        (score("s", 20.0, 0.0, 40.0), 0.5),  # the border of D is 35; an interval may begin at nought
        (score("s", None, None, None, needed_count=12), 0.3),  # nearly published
        (score("s", None, None, None, needed_count=90), None),  # too far from it
    ],
    ids=["at a border", "inside a grade", "from nought", "nearly rated", "far from rated"],
)
def test_a_station_whose_grade_is_open_is_a_need(row: dict[str, object], weight: float | None) -> None:
    found = stations(results.shape("bts_ratings", pl.DataFrame([row])), load())
    assert [need.weight for need in found] == ([] if weight is None else [weight])


def test_a_station_near_a_border_draws_the_plan_there(archive: Archive) -> None:
    known = [rating(area, 5000, 0, "rated", 0.03) for area in ("a", "b")]
    rows = [row | {"technology": technology} for row in known for technology in ("4g", "5g")]
    archive.write_result("area_ratings", results.shape("area_ratings", pl.DataFrame(rows)))
    archive.write_result("bts_ratings", results.shape("bts_ratings", pl.DataFrame([score("s2", 66.0, 58.0, 74.0)])))
    plan = run.plan(archive, run.Question(stops=1, operators=("Viettel",)), load(), TODAY)
    first = plan.row(0, named=True)
    assert first["kind"] == "base_station"
    assert abs(first["longitude_deg"] - 106.71) < 0.007
    assert "stations near a grade border: s2" in first["reason_en"]


def test_an_hour_that_was_never_tested_is_asked_for(archive: Archive) -> None:
    archive.write_result(
        "series",
        results.shape("series", pl.DataFrame(
            [{"layer": "wards", "area": area, "operator": "Viettel", "technology": "*", "axis": "hour_of_day",
              "at": f"{hour:02d}", "kpi": "downlink", "value": 4e7, "samples_count": 9, "is_simulated": True}
             for area in ("a", "b") for hour in range(6, 23) if hour != 20]
        )),
    )  # fmt: skip
    plan = run.plan(archive, run.Question(stops=2, operators=("Viettel",)), load(), TODAY)
    assert plan["hour"].to_list() == [20, 20]
    assert "never tested around 20:00" in plan["reason_en"][0]
    assert tasks(plan, TODAY, pl.DataFrame(), "car")[0]["task"]["schedule"] == "daily 20:00"


def test_bad_questions_are_told(archive: Archive) -> None:
    with pytest.raises(ConfigError, match="--layer: Invalid layer 'moon'"):
        run.plan(archive, run.Question(layer="moon"), load(), TODAY)
    with pytest.raises(ConfigError, match="--operator: Invalid operator 'Nobody'"):
        run.plan(archive, run.Question(operators=("Nobody",)), load(), TODAY)


def test_half_width_falls_with_every_test() -> None:
    more = np.arange(200)
    below, above = half_width(0, 100, 1.0, more, 0.15), half_width(100, 0, 0.3, more, 0.15)
    assert (np.diff(below) < 0).all()
    assert (np.diff(above) < 0).all()


def test_what_is_done_is_worth_less_so_stops_spread_over_areas() -> None:
    places = Places(
        [f"c{n}" for n in range(8)], 106.6 + 0.001 * np.arange(8), np.full(8, 20.8), np.arange(8) // 4, np.zeros(8)
    )
    needs = [Need(AREA, key, key, "Viettel", "4g", 50, 0, 0.3, 1.0) for key in ("a", "b")]
    plane = plane_of(places.longitude_deg, places.latitude_deg)
    serves = serving(places, needs, {"a": 0, "b": 1}, [], plane)
    stops = choose(places, needs, serves, plane, stops=4)
    assert sorted(int(places.area[s.place]) for s in stops) == [0, 0, 1, 1]
    values = [s.value for s in stops]
    assert values == sorted(values, reverse=True)


def test_the_way_is_as_short_as_any_of_few_stops() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        minutes = minutes_between(rng.uniform(0, 10_000, (7, 2)), 25.0)
        order = two_opt(nearest_neighbour(minutes), minutes)
        best = min(length([0, *rest], minutes) for rest in permutations(range(1, 7)))
        assert order[0] == 0
        assert sorted(order) == list(range(7))
        assert length(order, minutes) <= 1.15 * best


def test_forms(archive: Archive) -> None:
    plan = run.plan(archive, run.Question(stops=5, start=(106.6, 20.8), terms=Terms(30.0)), load(), TODAY)
    root = ET.fromstring(forms.gpx(plan).encode())
    assert len(root.findall("{*}wpt")) == len(root.findall("{*}rte/{*}rtept")) == plan.height
    features = json.loads(forms.geojson(plan))["features"]
    assert [f["geometry"]["type"] for f in features] == ["Point"] * plan.height + ["LineString"]
    text = page(plan)
    assert "Kế hoạch đo tiếp theo" in text
    assert "Where to measure next" in text
    assert "http" not in text.split("<body>")[1]
    assert "Phường" in forms.text(plan, "vi")


def test_tasks_go_to_the_fixed_probe_that_stands_there_else_to_the_agent(archive: Archive) -> None:
    plan = run.plan(archive, run.Question(stops=3), load(), TODAY)
    first = plan.row(0, named=True)
    fixed = pl.DataFrame({"probe_id": ["office"], **{k: [first[k]] for k in ("longitude_deg", "latitude_deg")}})
    found = tasks(plan, TODAY, fixed, "car")
    assert found[0]["probe_id"] == "office"
    far = fixed.with_columns(pl.col("latitude_deg") + 1)
    assert [task["probe_id"] for task in tasks(plan, TODAY, far, "car")] == ["car"] * 3
    assert tasks(plan, TODAY, far) == []
    taken = [msgspec.convert(task, NewTask).task for task in found]
    assert probe_tasks.parse(msgspec.json.encode({"tasks": taken}))[0].wanted.is_once


def test_names_cannot_break_the_page_or_the_gpx() -> None:
    row = dict.fromkeys(results.schema("plan")) | {
        "rank": 1, "name": "<script>&", "operator": "V", "technology": "4g", "longitude_deg": 1.0, "latitude_deg": 2.0,
        "tests": 1, "minutes": 3.0, "reason_en": "<b>", "reason_vi": "&", "target": "c", "is_simulated": False,
    }  # fmt: skip
    plan = pl.DataFrame([row], schema=results.schema("plan"))
    assert "<script>&" not in page(plan)
    ET.fromstring(forms.gpx(plan).encode())


def test_a_collector_that_is_not_there_is_a_delivery_error() -> None:
    with pytest.raises(DeliveryError):
        post("http://127.0.0.1:9", "token", [{"probe_id": "*"}])
    with pytest.raises(ConfigError, match="Invalid URL"):
        post("ftp://x", "token", [])
