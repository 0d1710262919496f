"""Simulated records obey the contract: they decode strictly, say that they are simulated, and repeat by seed."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from archive.frames import schema
from archive.store import Archive
from measurement import codec
from measurement.plausibility import Context, Previous, flags
from measurement.rules import check_from_probe
from simulation.city import City, Mix, Scale
from simulation.degradation import parse
from simulation.output import bodies

SMALL = Scale(stations=60, phones=80, probes=6)


@pytest.fixture(scope="module")
def city() -> City:
    return City(5, communes=3, scale=SMALL)


@pytest.fixture(scope="module")
def frame(city: City) -> pl.DataFrame:
    return pl.concat(city.records(4000, days=5))


def test_every_record_passes_the_strict_decoder_and_the_rules(frame: pl.DataFrame) -> None:
    count = 0
    for body in bodies(frame.head(1500)):
        record = codec.decode(body)
        check_from_probe(record)
        assert record.is_simulated
        assert codec.decode(codec.encode(record)) == record
        count += 1
    assert count == 1500


def test_failures_and_both_generations_occur(frame: pl.DataFrame) -> None:
    assert {"complete", "failed", "partial"} == set(frame["outcome_status"])
    assert {"lte", "nr_nsa", "nr_sa"} >= set(frame["network_technology"])
    assert set(frame["mode"]) == {"scheduled", "manual", "drive", "certified"}


def test_radio_is_within_the_archive_columns(frame: pl.DataFrame, city: City) -> None:
    assert set(frame.columns) <= set(schema(layer.key for layer in city.layers))
    assert frame["is_simulated"].all()
    assert frame["record_id"].n_unique() == frame.height


def test_ids_follow_the_order_of_time(frame: pl.DataFrame) -> None:
    started = frame["started_at"].dt.epoch("ms")
    stamps = frame["record_id"].str.slice(0, 8) + frame["record_id"].str.slice(9, 4)
    assert (stamps.str.to_integer(base=16) == started).all()


def test_same_seed_same_records(frame: pl.DataFrame) -> None:
    again = pl.concat(City(5, communes=3, scale=SMALL).records(4000, days=5))
    assert again.equals(frame)
    assert not pl.concat(City(6, communes=3, scale=SMALL).records(4000, days=5)).equals(frame)


def test_every_day_of_the_span_has_records(frame: pl.DataFrame) -> None:
    days = set(frame["started_at"].dt.convert_time_zone("Asia/Ho_Chi_Minh").dt.date())
    assert days == {date(2026, 5, day) for day in range(1, 6)}


def test_archive_takes_the_frames(frame: pl.DataFrame, city: City, tmp_path: Path) -> None:
    with Archive(tmp_path, create=True) as archive:
        archive.set_layers(city.layers)
        archive.set_base_stations(city.stations)
        assert archive.append_frame(frame) == frame.height
        held = archive.snapshot()
        assert sum(held.frame(day).height for day in held.days) == frame.height
        assert len(archive.base_stations()) == len(city.stations)


def test_station_ids_of_records_are_in_the_registry(frame: pl.DataFrame, city: City) -> None:
    known = {station.id: station for station in city.stations}
    served = frame.drop_nulls("base_station_id").select("base_station_id", "network_operator", "radio_anchor_cell_id")
    assert served.height > 0
    for station_id, operator, cell in served.head(500).iter_rows():
        assert known[station_id].operator == operator
        assert cell is None or cell in known[station_id].cell_ids


def test_cell_ids_are_unique_in_the_registry(city: City) -> None:
    cells = [(s.operator, cell) for s in city.stations for cell in s.cell_ids]
    assert len(cells) == len(set(cells))


def test_degradation_takes_its_part_from_its_instant_on() -> None:
    layers = City(5, communes=3, scale=SMALL).layers
    hit = parse("*:Viettel:0.5:2026-05-03", layers)
    mix = Mix(1, 0, 0, 0)
    plain = pl.concat(City(5, communes=3, scale=SMALL, mix=mix).records(6000, days=4))
    worse = pl.concat(City(5, communes=3, scale=SMALL, mix=mix, degradations=[hit]).records(6000, days=4))
    speed = pl.col("throughput_downlink_goodput_bps")
    after = pl.col("started_at") >= hit.since
    for condition, ratio in ((after, 0.5), (~after, 1.0)):
        chosen = condition & (pl.col("network_operator") == "Viettel")
        left = worse.filter(chosen).select(speed.mean()).item() / plain.filter(chosen).select(speed.mean()).item()
        assert left == pytest.approx(ratio, abs=1e-4)
    others = pl.col("network_operator") != "Viettel"
    assert worse.filter(others).equals(plain.filter(others))


def test_few_records_are_doubtful(frame: pl.DataFrame) -> None:
    before: dict[str, Previous] = {}
    found: list[str] = []
    for body in bodies(frame.head(3000)):
        record = codec.decode(body)
        assert record.position is not None
        context = Context(record.started_at + timedelta(seconds=12), before.get(record.probe_id))
        found += flags(record, context)
        place = record.position
        before[record.probe_id] = Previous(record.started_at, place.longitude_deg, place.latitude_deg)
    assert len(found) < 0.02 * 3000, Counter(found)
