"""Holes: found where tests fail often, at several times and spots; not from one phone, one hour or one corner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import h3
import numpy as np
import polars as pl
import pytest

from analysis.holes.cells import collapse, failing, judged
from analysis.holes.polygons import table
from analysis.thresholds import load
from measurement.geography import Area, BaseStation, Layer

BAD = h3.latlng_to_cell(20.80, 106.60, 8)
GOOD = h3.latlng_to_cell(20.86, 106.68, 8)


def made(
    cell: str, failures: int, passes: int, *, hours: tuple[int, ...] = (2, 9), devices: int = 20, corners: int = 7,
    operator: str = "Viettel",
) -> pl.DataFrame:  # fmt: skip
    small = sorted(h3.cell_to_children(cell, 10))[:corners]
    rows = []
    for n in range(failures + passes):
        at = datetime(2026, 6, 1 + n % 28, hours[n % len(hours)], n // 28 % 60, tzinfo=UTC)
        rows.append(
            {
                "started_at": at, "probe_id": f"p{n % devices}", "h3_cell": h3.str_to_int(small[n % corners]),
                "operator": operator, "technology": "4g", "rsrp": -125.0 if n < failures else -90.0,
                "access_failure": 0.0, "outcome_failure": None, "is_simulated": False,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"outcome_failure": pl.String, "started_at": pl.Datetime("us", "UTC")})


def found(*frames: pl.DataFrame) -> pl.DataFrame:
    rows = judged(pl.concat(frames), load())
    collapsed = collapse(rows, "Asia/Ho_Chi_Minh")
    layer = Layer(
        key="wards", title_en="", title_vi="",
        areas=[Area(key="w", name="W", name_en="W", population=31_000, polygons=[[[
            (106.5, 20.7), (106.7, 20.7), (106.7, 20.9), (106.5, 20.9), (106.5, 20.7)]]])],
    )  # fmt: skip
    mast = BaseStation(id="m", operator="Viettel", technology="lte", longitude_deg=106.62, latitude_deg=20.80)
    return table(failing(collapsed), collapsed, [layer], [mast])


def test_a_hole_is_found_with_all_that_is_known_of_it() -> None:
    holes = found(made(BAD, 30, 10), made(GOOD, 2, 60), made(BAD, 0, 20, operator="VinaPhone"))
    assert holes.height == 1
    hole = holes.row(0, named=True)
    assert (hole["operator"], hole["failures"], hole["tests"], hole["area"]) == ("Viettel", 30, 40, "w")
    assert 0.5 < hole["area_km2"] < 1.1
    assert 10 < hole["people"] < 200
    assert (hole["nearest_bts"], hole["neighbours"]) == ("m", "VinaPhone")
    assert hole["p_value"] < 1e-10


@pytest.mark.parametrize(
    "frame",
    [
        made(BAD, 4, 0),
        made(BAD, 30, 10, hours=(9,)),
        made(BAD, 30, 10, hours=(8, 10)),
        made(BAD, 30, 10, devices=1),
        made(BAD, 30, 10, corners=2),
        made(BAD, 8, 100),
    ],
    ids=["few", "one hour", "hours too near", "one phone", "two corners", "rare"],
)
def test_thin_evidence_is_no_hole(frame: pl.DataFrame) -> None:
    assert found(frame).height == 0


def test_a_phone_that_stands_in_a_hole_is_one_witness() -> None:
    start = datetime(2026, 6, 1, 2, tzinfo=UTC)
    stuck = made(BAD, 50, 0, devices=1, corners=1).with_columns(
        pl.Series("started_at", [start + timedelta(minutes=n) for n in range(50)], dtype=pl.Datetime("us", "UTC"))
    )
    assert collapse(judged(stuck, load()), "Asia/Ho_Chi_Minh").height == 1


def test_false_holes_stay_rare_where_nothing_fails_beyond_the_level() -> None:
    rng = np.random.default_rng(1)
    cells = sorted(h3.grid_disk(GOOD, 6))
    frames = [made(cell, int(rng.binomial(60, 0.08)), 60) for cell in cells]
    assert found(*frames).height <= 1


def test_no_service_counts() -> None:
    lost = made(BAD, 30, 10).with_columns(
        pl.when(pl.col("rsrp") < -120).then(pl.lit("no_service")).alias("outcome_failure"),
        pl.when(pl.col("rsrp") > -120).then(pl.col("rsrp")).alias("rsrp"),
    )
    assert found(lost).height == 1
