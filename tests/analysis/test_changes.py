"""Which changes of a month are told: the one that was made, and next to none where there was none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from analysis import compare
from analysis.changes import changes
from analysis.commands.changes import command
from analysis.commands.compare import command as compare_command
from analysis.commands.rate import command as rate_command
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


@pytest.fixture(scope="module")
def rated(archive: Path) -> pl.DataFrame:
    """Rate both months as a user would; `rate` writes the changes too."""
    arguments = ["--archive", str(archive), "--no-maps", "--no-facts", "--jobs", "1"]
    assert CliRunner().invoke(rate_command, arguments, catch_exceptions=False).exit_code == 0
    with Archive(archive) as opened:
        ratings = opened.read_result("area_ratings")
    assert ratings is not None
    return ratings


def test_the_change_that_was_made_is_told_and_little_else(rated: pl.DataFrame) -> None:
    table = changes(rated)
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


def test_the_interval_is_near_that_of_devices_drawn_again(archive: Path, rated: pl.DataFrame) -> None:
    """`compare` draws devices again, those of both months together; ours takes the months as independent."""
    of = "area=d1,operator=Viettel,technology=4g"
    arguments = [f"until=2026-05-31,{of}", f"from=2026-06-01,{of}", "--archive", str(archive), "--kpi", "downlink"]
    arguments += ["--layer", "districts-2024"]
    done = CliRunner().invoke(compare_command, [*arguments, "--json"], catch_exceptions=False)
    drawn = json.loads(done.stdout)
    row = changes(rated).filter(
        (pl.col("area") == "d1") & (pl.col("kpi") == "downlink") & (pl.col("operator") == "Viettel"),
        pl.col("technology") == "4g",
    )
    # The two weigh a device's tests differently, so that their figures differ by less than chance does.
    assert drawn["low"] < row["change"][0] < drawn["high"]
    ours, theirs = (
        np.log(high / low) for low, high in ((row["low"][0], row["high"][0]), (drawn["low"], drawn["high"]))
    )
    assert 0.8 < ours / theirs < 2


def test_the_command_writes_the_table_and_names_what_is_wrong(
    archive: Path, rated: pl.DataFrame, tmp_path: Path
) -> None:
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
    with pytest.raises(ConfigError, match="rate first"):
        CliRunner().invoke(command, ["--archive", str(tmp_path / "new")], catch_exceptions=False)
    assert changes(rated.filter(pl.col("period") != "2026-05")).is_empty()
