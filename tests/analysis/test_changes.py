"""Which changes of a month are told: the one that was made, and next to none where there was none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from analysis import compare, thresholds
from analysis.changes import changes
from analysis.commands.changes import command
from analysis.executors import Inline
from analysis.results import schema
from archive.store import Archive
from measurement.errors import ConfigError
from tests.analysis.city import layer, records, stations

JUNE = datetime(2026, 5, 31, 17, tzinfo=UTC)  # midnight in Hải Phòng


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months, eight areas; in June the downlink of d0 loses two fifths."""
    frame = records(11, 9000, days=60, areas=8, devices=300)
    slow = (pl.col("areas_districts_2024") == "d0") & (pl.col("started_at") >= JUNE)
    speed = pl.col("throughput_downlink_goodput_bps")
    path = tmp_path_factory.mktemp("changes") / "archive"
    with Archive(path, create=True) as made:
        made.set_layers([layer(8)])
        made.set_base_stations(stations())
        made.append_frame(frame.with_columns(pl.when(slow).then(speed * 0.6).otherwise(speed)))
    return path


def found(path: Path, month: str | None = None) -> pl.DataFrame:
    with Archive(path) as opened:
        return changes(opened, thresholds.load("vn"), Inline(), month)


def test_the_change_that_was_made_is_told_and_little_else(archive: Path) -> None:
    table = found(archive)
    assert dict(table.schema) == schema("changes")
    assert table.select("before", "period").unique().row(0) == ("2026-05", "2026-06")
    whole = table.filter((pl.col("operator") == "*") & (pl.col("technology") == "*"))
    made = whole.filter((pl.col("area") == "d0") & (pl.col("kpi") == "downlink")).row(0, named=True)
    assert made["verdict"] == compare.WORSE
    assert made["low"] < 0.6 < made["high"] < 1
    others = table.filter(~((pl.col("area") == "d0") & pl.col("kpi").is_in(["downlink", "floor_share"])))
    assert others.height > 200
    told = others.filter(pl.col("verdict") != compare.SAME)
    assert told.height <= 0.02 * others.height, told


def test_a_difference_is_that_of_compare(archive: Path) -> None:
    """The same tests, compared by the other command's own sides, give the same medians."""
    from analysis import rules
    from analysis.observations import day_records, read_day

    row = found(archive).filter(
        (pl.col("area") == "d1") & (pl.col("kpi") == "downlink") & (pl.col("operator") == "*"),
        pl.col("technology") == "*",
    )
    with Archive(archive) as opened, opened.snapshot() as snapshot:
        seen = pl.concat(
            read_day(day_records(snapshot, day), "Asia/Ho_Chi_Minh", thresholds.load("vn")).with_columns(
                day=pl.lit(day)
            )
            for day in snapshot.days
        )
    kept = seen.filter(rules.reason(rules.AREA).is_null() & (pl.col("areas_districts_2024") == "d1"))
    devices = sorted(kept["probe_id"].unique())
    halves = [kept.filter(pl.col("day").str.starts_with(month)) for month in ("2026-05", "2026-06")]
    sides = [compare.side(half, "downlink", devices) for half in halves]
    expected = compare.difference(sides[0], sides[1], "downlink", np.random.default_rng(1), 200)
    assert row["first"][0] == pytest.approx(expected.first)
    assert row["second"][0] == pytest.approx(expected.second)
    assert row["low"][0] == pytest.approx(expected.low, rel=0.05)
    assert row["high"][0] == pytest.approx(expected.high, rel=0.05)
    assert (row["first_tests"][0], row["second_tests"][0]) == tuple(len(side.value) for side in sides)


def test_the_command_writes_the_table_and_names_what_is_wrong(archive: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--archive", str(archive)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "2026-06 against 2026-05" in result.output
    assert "Quận 0" in result.output
    with Archive(archive) as opened:
        written = opened.read_result("changes")
    assert written is not None
    assert written.height > 200
    for month, says in (("June", "YYYY-MM"), ("2026-05", "one before it")):
        with pytest.raises(ConfigError, match=says):
            CliRunner().invoke(command, ["--archive", str(archive), "--month", month], catch_exceptions=False)
    with Archive(tmp_path / "new", create=True) as made:
        made.set_layers([layer(2)])
    empty = CliRunner().invoke(command, ["--archive", str(tmp_path / "new")], catch_exceptions=False)
    assert "Nothing to compare" in empty.output
