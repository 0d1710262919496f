"""Planning on a simulated city: tests until 95 % of the communes may be published, planned and as people measure."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import thresholds
from analysis.coverage.plane import plane_of
from analysis.plan.choose import choose, serving
from analysis.plan.needs import AREA, UNPUBLISHED, Need
from analysis.plan.places import candidates
from benchmarks import Row
from simulation.city import City
from simulation.panel import Mix

SHARE = 0.95
BEGIN = 5_000
"""Tests that people made before anybody planned."""
STOPS = 150
"""Stops of one day of planned field work."""
AGENTS = 24
"""Devices of the agents: the floor wants 20 devices in each commune, so the crew takes turns."""
MINIMUM = thresholds.load().minimum_of("area")


def natural(seed: int, records: int) -> tuple[City, pl.DataFrame]:
    """Return the tests of people in order of time, denser communes favoured; Bạch Long Vĩ's island among them."""
    city = City(seed, urban_bias=1.0, mix=Mix(probe=0, phone=1, drive=0, crew=0))
    wanted = ["started_at", "probe_id", "h3_cell", "areas_communes_2025"]
    frame = pl.concat([part.select(wanted) for part in city.records(records, days=120, start=date(2026, 5, 1))])
    day = pl.col("started_at").dt.offset_by("7h").dt.date().alias("day")
    return city, frame.sort("started_at").with_columns(day, (pl.col("h3_cell") // 8**5).alias("place"))


def until_published(tests: pl.DataFrame, areas: int) -> int:
    """Return how many tests it took until 95 % of the areas met the floor of device-days and devices; -1 if never."""
    firsts = tests.with_row_index("at").unique(
        ["areas_communes_2025", "probe_id", "place", "day"], keep="first", maintain_order=True
    )
    devices = firsts.unique(["areas_communes_2025", "probe_id"], keep="first", maintain_order=True)
    rows_met = firsts.group_by("areas_communes_2025").agg(
        pl.col("at").sort().get(MINIMUM.samples - 1, null_on_oob=True)
    )
    devices_met = devices.group_by("areas_communes_2025").agg(
        pl.col("at").sort().get(MINIMUM.devices - 1, null_on_oob=True).alias("devices_at")
    )
    met = (
        rows_met.join(devices_met, on="areas_communes_2025").drop_nulls().select(pl.max_horizontal("at", "devices_at"))
    )
    times = np.sort(met.to_series().to_numpy())
    needed = int(np.ceil(SHARE * areas))
    return int(times[needed - 1]) + 1 if len(times) >= needed else -1


def planned(city: City, tests: pl.DataFrame) -> int:
    """Plan days of field work until 95 % of the communes meet the floor; return all tests, people's first included."""
    layer = next(layer for layer in city.layers if layer.key == "communes-2025")
    own = tests.head(BEGIN)
    rows = own.unique(["areas_communes_2025", "probe_id", "place", "day"])["areas_communes_2025"].value_counts()
    people = own.unique(["areas_communes_2025", "probe_id"])["areas_communes_2025"].value_counts()
    at = {area.key: number for number, area in enumerate(layer.areas)}
    done: npt.NDArray[np.float64] = np.zeros(len(at))
    devices = np.zeros(len(at))
    for frame, column in ((rows, done), (people, devices)):
        for key, count in frame.drop_nulls().iter_rows():
            column[at[key]] = count
    places = candidates(layer, None, city.stations)
    plane = plane_of(places.longitude_deg, places.latitude_deg)
    visits = np.zeros(len(at))
    count = BEGIN
    while True:
        # Agents in turn: each visit to a commune is by the next device of the crew.
        lacking = np.maximum(MINIMUM.samples - done, MINIMUM.devices - devices - np.minimum(visits, AGENTS))
        lacking = np.maximum(lacking, 0)
        if np.mean(lacking <= 0) >= SHARE:
            return count
        needs = [
            Need(AREA, area.key, area.name, "*", "*", float(done[n]), float(lacking[n]), UNPUBLISHED, 1.0)
            for n, area in enumerate(layer.areas)
            if lacking[n] > 0
        ]
        serves = serving(places, needs, at, [], plane)
        stops = choose(places, needs, serves, plane, stops=STOPS)
        if not stops:
            return -1
        for stop in stops:
            area = int(places.area[stop.place])
            done[area] += 1
            visits[area] += 1
        count += len(stops)


def run(seed: int = 7, records: int = 700_000) -> list[Row]:
    """Return the row."""
    city, tests = natural(seed, records)
    areas = len(next(layer for layer in city.layers if layer.key == "communes-2025").areas)
    without = until_published(tests.drop_nulls("areas_communes_2025"), areas)
    with_plan = planned(city, tests)
    said = f"{without:,}" if without > 0 else f"more than {records:,}"
    ratio = (without if without > 0 else records) / with_plan
    return [
        Row(
            "planning", "tests until 95 % of 114 communes meet the floor (100 device-days, 20 devices), simulated",
            ">= 3 x fewer than natural sampling",
            f"{ratio:.1f} x fewer: {with_plan:,}",
            f"natural, biased to dense communes: {said}; {BEGIN:,} of the planned ones are people's own",
        )
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(row)
