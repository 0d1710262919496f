"""What a base station's page is drawn from, against the same sums written plainly."""

from __future__ import annotations

import statistics
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analysis import rate, thresholds
from analysis.executors import Inline
from analysis.results import schema
from analysis.station_series import PART_HOURS, station_series
from archive.store import Archive
from tests.analysis.city import layer, records, stations

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def tables(folder: Path, frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    with Archive(folder / "archive", create=True) as archive:
        archive.set_layers([layer(3)])
        archive.set_base_stations(stations())
        if frame.height:
            archive.append_frame(frame)
        ready = rate.prepare(archive, thresholds.load("vn"), Inline())
        owners = {station.id: station.operator for station in archive.base_stations()}
        return station_series(ready, owners, Inline())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    frame = records(5, 4000, days=16, devices=40)
    return frame, tables(tmp_path_factory.mktemp("stations"), frame)


def test_each_part_of_the_day_and_week_is_the_median_of_its_units(
    made: tuple[pl.DataFrame, dict[str, pl.DataFrame]],
) -> None:
    frame, found = made
    units: dict[tuple[str, str, str, str], dict[tuple[str, str], list[float]]] = {}
    for row in frame.iter_rows(named=True):
        local = row["started_at"].astimezone(ZONE)
        technology = "5g" if row["network_technology"] == "nr_nsa" else "4g"
        part = f"{local.hour // PART_HOURS * PART_HOURS:02d}"
        week = (local.date() - timedelta(days=local.weekday())).isoformat()
        for axis, at in (("part_of_day", part), ("week", week)):
            group = units.setdefault((row["base_station_id"], technology, axis, at), {})
            # A device in one part of one day counts once, on either axis.
            group.setdefault((row["probe_id"], f"{local.date()} {part}"), []).append(
                row["throughput_downlink_goodput_bps"]
            )
    rows = found["bts_series"].filter(pl.col("kpi") == "downlink")
    assert rows.height == len(units)
    for row in rows.iter_rows(named=True):
        group = units[row["base_station"], row["technology"], row["axis"], row["at"]]
        expected = statistics.median(statistics.median(values) for values in group.values())
        assert row["value"] == pytest.approx(expected, rel=0.01)  # codes are at steps of 0.7 %
        assert row["samples_count"] == sum(map(len, group.values()))
        assert row["devices_count"] == len({device for device, _ in group})
        assert (row["low"] is None) == (len(group) < 6)
        assert row["low"] is None or row["low"] <= row["value"] <= row["high"]
        assert (row["operator"], row["is_simulated"]) == ("Viettel", True)


def test_the_distribution_holds_every_unit_once(made: tuple[pl.DataFrame, dict[str, pl.DataFrame]]) -> None:
    frame, found = made
    bins = found["bts_histograms"]
    sums = bins.group_by("base_station", "technology", "kpi").agg(pl.col("share").sum(), pl.col("samples_count").max())
    assert sums["share"].to_list() == pytest.approx([1.0] * sums.height)
    assert sums.filter(pl.col("kpi") == "downlink")["samples_count"].sum() == frame.height
    assert (bins["bin_low"] < bins["bin_high"]).all()


def test_without_records_the_columns_stand(tmp_path: Path) -> None:
    for name, frame in tables(tmp_path, pl.DataFrame()).items():
        assert frame.height == 0
        assert dict(frame.schema) == schema(name)
