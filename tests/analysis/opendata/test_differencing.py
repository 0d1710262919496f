"""The attacks that the rules of a release are for, carried out: each succeeds on a naive release, none on ours."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from statistics import median
from typing import NamedTuple

import h3
import polars as pl
import pytest

from analysis.opendata.release import MIN_DEVICES, MIN_TESTS, closes_on, follow, rows
from analysis.results import ALL, WHOLE, schema
from measurement.errors import ConfigError

TODAY = date(2026, 11, 22)
CENTRE = h3.latlng_to_cell(20.85, 106.68, 9)
CELLS = sorted(h3.grid_disk(CENTRE, 1))


class Raw(NamedTuple):
    device: str
    cell: str
    month: str
    operator: str
    downlink_bps: float
    failed: bool


def aggregate(raws: list[Raw]) -> pl.DataFrame:
    """Make the analysis' long table with every overlapping total an attacker could wish for."""
    groups: dict[tuple[str, int, str, str], list[Raw]] = defaultdict(list)
    for raw in raws:
        for resolution in (8, 9):
            cell = raw.cell if resolution == 9 else h3.cell_to_parent(raw.cell, 8)
            for operator in (ALL, raw.operator):
                for period in (WHOLE, raw.month):
                    groups[cell, resolution, operator, period].append(raw)
    made = []
    for (cell, resolution, operator, period), members in groups.items():
        tests, devices = len(members), len({raw.device for raw in members})
        status = "rated" if tests >= MIN_TESTS and devices >= MIN_DEVICES else "insufficient"
        figures = {
            "downlink": median(raw.downlink_bps for raw in members),
            "access_failure": sum(raw.failed for raw in members) / tests,
        }
        made += [
            (
                cell, resolution, operator, "5g", period, kpi, value, None, tests, devices,
                max(0, MIN_TESTS - tests), status, False,
            )
            for kpi, value in figures.items()
        ]  # fmt: skip
    return pl.DataFrame(made, schema=schema("hexagons"), orient="row")


def crowd(month: str = "2026-10", operator: str = "Viettel", count: int = 6) -> list[Raw]:
    return [Raw(f"d{i}", cell, month, operator, 1e8 + i, False) for cell in CELLS for i in range(count)]


VICTIM = Raw("victim", CELLS[0], "2026-10", "Viettel", 1.0, True)


def naive(table: pl.DataFrame) -> pl.DataFrame:
    """Publish every row above the floors, totals and all, afresh each time."""
    return table.filter((pl.col("samples_count") >= MIN_TESTS) & (pl.col("devices_count") >= MIN_DEVICES))


def test_two_editions_of_a_month_do_not_differ_by_one_late_record() -> None:
    before, after = aggregate(crowd()), aggregate([*crowd(), VICTIM])
    key = ["h3_cell", "resolution", "operator", "period", "kpi"]
    naively = naive(after).join(naive(before), on=key).filter(pl.col("samples_count") != pl.col("samples_count_right"))
    assert naively.height > 0, "the attack works on a naive release"
    stolen = naively.filter((pl.col("kpi") == "access_failure") & (pl.col("resolution") == 9)).row(0, named=True)
    failures = (
        stolen["value"] * stolen["samples_count"] - stolen["value_right"] * stolen["samples_count_right"]
    )  # the victim's own outcome
    assert failures == pytest.approx(1.0)

    first = rows(before, TODAY)
    second = follow(rows(after, TODAY), first.frame)
    assert second.frame.equals(first.frame)
    assert second.kept_count == first.frame.height


def test_a_total_less_its_parts_uncovers_nothing() -> None:
    other = [Raw("victim", CELLS[0], "2026-10", "VinaPhone", 1.0, True)]
    table = aggregate(crowd() + other)
    published = naive(table).filter((pl.col("resolution") == 9) & (pl.col("kpi") == "access_failure"))
    cell = published.filter((pl.col("h3_cell") == CELLS[0]) & (pl.col("period") == "2026-10"))
    total, part = (cell.filter(pl.col("operator") == who).row(0, named=True) for who in (ALL, "Viettel"))
    assert total["samples_count"] - part["samples_count"] == 1, "the attack works where totals are published"

    frame = rows(table, TODAY).frame
    assert set(frame["operator"]) == {"Viettel"}
    assert set(frame["month"]) == {"2026-10"}
    assert not frame.select("h3_cell", "month", "operator", "technology").is_duplicated().any()


def test_a_parent_less_its_children_uncovers_nothing() -> None:
    frame = rows(aggregate([*crowd(), *crowd("2026-09")]), TODAY).frame
    assert {h3.get_resolution(cell) for cell in frame["h3_cell"]} == {9}
    coarse = rows(aggregate(crowd()), TODAY, resolution=8)
    with pytest.raises(ConfigError, match="another resolution"):
        follow(coarse, frame)


def test_a_longer_period_less_a_shorter_uncovers_nothing() -> None:
    """Two months are disjoint: there is no row for both, so September is not October's total less October."""
    lonely = [Raw("victim", CELLS[0], "2026-09", "Viettel", 1.0, True)]
    table = aggregate(crowd() + lonely)
    whole = naive(table).filter(
        (pl.col("period") == WHOLE) & (pl.col("operator") == "Viettel") & (pl.col("h3_cell") == CELLS[0])
    )
    month = naive(table).filter(
        (pl.col("period") == "2026-10") & (pl.col("operator") == "Viettel") & (pl.col("h3_cell") == CELLS[0])
    )
    assert whole["samples_count"][0] - month["samples_count"][0] == 1, "the attack works where periods overlap"
    frame = rows(table, TODAY).frame
    assert set(frame["month"]) == {"2026-10"}


def test_a_month_is_released_only_when_it_is_closed() -> None:
    table = aggregate([*crowd("2026-10"), *crowd("2026-11")])
    release = rows(table, date(2026, 12, 7))
    assert release.months == ["2026-10"]
    assert release.open_months == ["2026-11"]
    assert rows(table, date(2026, 12, 8)).months == ["2026-10", "2026-11"]
    assert closes_on("2026-11") == date(2026, 12, 8)


def test_a_cell_that_reaches_the_floors_later_is_added_and_one_that_falls_is_withdrawn() -> None:
    thin = [Raw(f"t{i}", CELLS[1], "2026-10", "VinaPhone", 5e7, False) for i in range(4)]
    first = rows(aggregate(crowd() + thin), TODAY)
    assert set(first.frame["operator"]) == {"Viettel"}
    grown = [*thin, Raw("t9", CELLS[1], "2026-10", "VinaPhone", 5e7, False)]
    second = follow(rows(aggregate(crowd() + grown), TODAY), first.frame)
    assert second.frame.height == first.frame.height + 1
    gone = [raw for raw in crowd() if raw.cell != CELLS[0]]
    third = follow(rows(aggregate(gone + grown), TODAY), second.frame)
    assert third.withdrawn_count == 1
    assert CELLS[0] not in set(third.frame["h3_cell"])


@pytest.mark.parametrize(("tests", "devices"), [(4, 4), (12, 2)])
def test_below_the_floors_there_is_no_row(tests: int, devices: int) -> None:
    few = [Raw(f"d{i % devices}", CELLS[0], "2026-10", "Viettel", 1e8, False) for i in range(tests)]
    release = rows(aggregate(few), TODAY)
    assert release.frame.height == 0
    assert release.held_back_count == 1
