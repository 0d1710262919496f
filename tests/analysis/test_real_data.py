"""Real drives: Dakar (three operators side by side) and Cork, rated for operator, cell and grid."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from analysis.cli import group
from archive.store import Archive
from measurement.geography import Area, Layer
from tests.analysis.city import square

DATA = Path(__file__).parents[3] / "shared" / "data"
PLACES = {
    "dakar": (DATA / "gnettrack_dakar" / "raw_logs", ("--time-zone", "Africa/Dakar"), (-17.6, 14.5, 0.4)),
    "cork": (
        DATA / "ucc_5g" / "5G-production-dataset.zip",
        ("--time-zone", "Europe/Dublin", "--operator", "B"),
        (-8.8, 51.6, 0.6),
    ),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", PLACES)
def test_a_real_drive_is_rated_and_never_overstated(tmp_path: Path, place: str) -> None:
    source, options, (west, south, side) = PLACES[place]
    if not source.exists():
        pytest.skip(f"../shared/data: {source.name} of {place} is not there")
    path = tmp_path / "archive"
    with Archive(path, create=True) as made:
        area = Area(key=place, name=place, name_en=place, polygons=square(west, south, side))
        made.set_layers([Layer(key="whole", title_en="Whole", title_vi="Toàn bộ", areas=[area])])
    for arguments in (("import", "--archive", str(path), *options, str(source)), ("rate", "--archive", str(path))):
        outcome = CliRunner().invoke(group, arguments)
        assert outcome.exit_code == 0, outcome.output + repr(outcome.exception)
    with Archive(path) as archive:
        tables = {name: archive.read_result(name) for name in ("area_ratings", "bts_ratings", "hexagons", "exclusions")}
    areas, cells, hexagons, left_out = (tables[name] for name in tables)
    assert areas is not None
    assert cells is not None
    assert hexagons is not None
    assert left_out is not None
    operators = {"dakar": {"*", "Orange", "Yas", "Expresso"}, "cork": {"*", "B"}}[place]
    assert set(areas["operator"]) >= operators
    assert cells["base_station"].str.starts_with("cell-").any()
    assert not hexagons.is_empty()
    # One car says nothing of others: no interval, nothing rated, and how many more are needed.
    single = areas.filter((pl.col("operator") != "*") & (pl.col("samples_count") > 0))
    assert set(single["status"]) == {"insufficient"}
    assert single["low"].null_count() == single.height
    counts = left_out.filter(pl.col("scope") == "area")["count"].sum()
    assert counts > 1000
