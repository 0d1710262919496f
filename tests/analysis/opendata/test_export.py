"""The data package as files: what a portal and a person read agrees with the table."""

from __future__ import annotations

import csv
import hashlib
import json
from itertools import pairwise
from pathlib import Path

import h3
import polars as pl
import pytest
from click.testing import CliRunner

from analysis.commands.export import command
from analysis.opendata.files import safe_text
from archive.store import Archive
from measurement.errors import ConfigError
from tests.analysis.opendata.test_differencing import CELLS, Raw, aggregate, crowd


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("open")
    raws = [*crowd(), *crowd("2026-09", "MobiFone"), Raw("one", CELLS[0], "2026-10", "VinaPhone", 1.0, True)]
    with Archive(folder / "archive", create=True) as archive:
        archive.write_result("hexagons", aggregate(raws))
    arguments = [
        "--open",
        "--archive",
        str(folder / "archive"),
        "--out",
        str(folder / "out"),
        "--url",
        "https://data.example/x",
    ]
    result = CliRunner().invoke(command, [*arguments, "--publisher", "UBND Hải Phòng", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["rows"] == 14
    assert told["held_back"] == 1
    return folder / "out"


def test_formats_agree(package: Path) -> None:
    frame = pl.read_parquet(package / "data" / "hexagons.parquet")
    with (package / "data" / "hexagons.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["h3_cell"] for line in lines] == frame["h3_cell"].to_list()
    assert float(lines[0]["downlink_median_bps"]) == frame["downlink_median_bps"][0]
    shapes = [json.loads(path.read_text()) for path in sorted((package / "data").glob("*.geojson"))]
    assert sum(len(shape["features"]) for shape in shapes) == frame.height
    ring = shapes[0]["features"][0]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert 106 < ring[0][0] < 107, "longitude first"
    assert sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring)) > 0, "counter-clockwise"


def test_dictionary_describes_exactly_the_columns(package: Path) -> None:
    described = json.loads((package / "datapackage.json").read_text("utf-8"))
    table = next(resource for resource in described["resources"] if resource["format"] == "csv")
    fields = table["schema"]["fields"]
    header = (package / "data" / "hexagons.csv").read_text("utf-8").splitlines()[0].split(",")
    assert [field["name"] for field in fields] == header
    assert all(field["title"] and field["description"] for field in fields)
    for resource in described["resources"]:
        body = (package / resource["path"]).read_bytes()
        assert resource["bytes"] == len(body)
        assert resource["hash"] == "sha256:" + hashlib.sha256(body).hexdigest()
    names = set(header)
    assert not names & {"probe_id", "record_id", "started_at", "longitude_deg", "latitude_deg"}


def test_dcat_points_at_the_files(package: Path) -> None:
    dataset = json.loads((package / "dcat.jsonld").read_text("utf-8"))["@graph"][0]
    assert {title["@language"] for title in dataset["dct:title"]} == {"vi", "en"}
    for distribution in dataset["dcat:distribution"]:
        path = distribution["dcat:downloadURL"]["@id"].removeprefix("https://data.example/x/")
        assert (package / path).is_file()
    assert dataset["dct:temporal"]["dcat:startDate"]["@value"] == "2026-09-01"
    assert dataset["dct:temporal"]["dcat:endDate"]["@value"] == "2026-10-31"


def test_a_second_edition_in_the_same_folder_keeps_the_rows(package: Path) -> None:
    before = (package / "data" / "hexagons.csv").read_bytes()
    with Archive(package.parent / "archive") as archive:
        late = Raw("late", CELLS[0], "2026-10", "Viettel", 1.0, True)
        archive.write_result("hexagons", aggregate([*crowd(), *crowd("2026-09", "MobiFone"), late]))
    result = CliRunner().invoke(
        command, ["--open", "--archive", str(package.parent / "archive"), "--out", str(package)]
    )
    assert result.exit_code == 0, result.output
    assert "kept as published: 14, withdrawn: 0" in result.output
    assert (package / "data" / "hexagons.csv").read_bytes() == before


def test_texts_are_no_formulas() -> None:
    frame = pl.DataFrame({"operator": ["=cmd()", "Viettel"], "h3_cell": [h3.latlng_to_cell(1, 1, 9)] * 2})
    assert safe_text(frame)["operator"].to_list() == ["'=cmd()", "Viettel"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "No hexagons yet"),
        (["--url", "ftp://x"], "--url: Invalid URL 'ftp://x'."),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    with Archive(tmp_path / "archive", create=True):
        pass
    result = CliRunner().invoke(
        command, ["--open", "--archive", str(tmp_path / "archive"), "--out", str(tmp_path / "out"), *arguments]
    )
    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)


def test_a_missing_previous_edition_is_told(tmp_path: Path) -> None:
    with Archive(tmp_path / "archive", create=True) as archive:
        archive.write_result("hexagons", aggregate(crowd()))
    result = CliRunner().invoke(
        command,
        ["--open", "--archive", str(tmp_path / "archive"), "--out", str(tmp_path / "o"), "--previous", str(tmp_path)],
    )
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith("--previous: Invalid folder")
