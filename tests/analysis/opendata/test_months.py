"""The long table of hexagons as the analysis makes it, month by month, is what a release is cut from."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from analysis import grid, rate, thresholds
from analysis.executors import executor
from analysis.opendata.release import MIN_DEVICES, MIN_TESTS, rows
from analysis.results import ALL, WHOLE
from measurement.errors import ConfigError
from tests.analysis import city


def test_months_are_a_partition_of_the_whole_and_can_be_released(tmp_path: Path) -> None:
    limits = thresholds.load()
    archive = city.archive(tmp_path / "archive", city.records(1, 3000))
    with executor(1) as pool:
        hexagons = grid.hexagons(rate.prepare(archive, limits, pool), limits, pool)
    months = {period for period in hexagons["period"].unique() if period != WHOLE}
    assert months
    total = (
        hexagons.filter((pl.col("operator") == ALL) & (pl.col("technology") == ALL))
        .with_columns((pl.col("period") == WHOLE).alias("is_whole"))
        .group_by("is_whole", "resolution", "kpi")
        .agg(pl.col("samples_count").sum())
    )
    whole, parts = (
        total.filter(pl.col("is_whole") == flag).drop("is_whole").sort("resolution", "kpi") for flag in (True, False)
    )
    assert whole.equals(parts), "every test is in exactly one month"
    release = rows(hexagons, date(2030, 1, 1))
    assert set(release.months) == months
    if release.frame.height:
        assert release.frame["tests_count"].min() >= MIN_TESTS  # type: ignore[operator]
        assert release.frame["devices_count"].min() >= MIN_DEVICES  # type: ignore[operator]
    # An archive rated before there were months, and one whose records have no precise positions.
    with pytest.raises(ConfigError, match="haidang-analysis rate"):
        rows(hexagons.filter(pl.col("period") == WHOLE), date(2030, 1, 1))
    with pytest.raises(ConfigError, match="None yet"):
        rows(hexagons.head(0), date(2030, 1, 1))
